# Configure custom domain
@app.function()
@modal.asgi_app(custom_domains=["api.example.com"])
def production_api():
    return web_app
