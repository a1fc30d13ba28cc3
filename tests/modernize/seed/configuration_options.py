@app.function(
    timeout=150,  # HTTP timeout is 150s max
    memory=2048,  # Memory in MB
    cpu=2.0,  # CPU cores
    container_idle_timeout=60,  # Keep warm
    concurrency_limit=100,  # Max concurrent requests
)
@modal.asgi_app()
def configured_api():
    return web_app
