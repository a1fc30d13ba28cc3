import modal

app = modal.App("ml-api")

image = (
    modal.Image.debian_slim()
    .uv_pip_install("torch", "transformers", "fastapi")
)

@app.cls(gpu="A10G", image=image, container_idle_timeout=300)
class InferenceServer:

    @modal.enter()
    def load_model(self):
        from transformers import pipeline
        self.pipe = pipeline("text-generation", model="gpt2", device=0)

    @modal.asgi_app()
    def web(self):
        from fastapi import FastAPI

        web_app = FastAPI()

        @web_app.post("/generate")
        def generate(prompt: str, max_length: int = 50):
            result = self.pipe(prompt, max_length=max_length)
            return {"generated": result[0]["generated_text"]}

        return web_app
