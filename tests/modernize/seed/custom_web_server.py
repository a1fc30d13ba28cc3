import modal

app = modal.App("custom-server")

@app.function()
@modal.web_server(port=8080)
def gradio_server():
    import subprocess
    subprocess.run(["python", "gradio_app.py"])
