# Protected endpoint (requires token)
@app.function()
@modal.asgi_app()
def protected_api():
    # Modal provides proxy auth token
    # Clients must include Authorization header
    return web_app
