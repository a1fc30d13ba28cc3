import modal
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

app = modal.App("full-api")

web_app = FastAPI(title="My API", version="1.0.0")

class PredictRequest(BaseModel):
    text: str
    max_length: int = 100

class PredictResponse(BaseModel):
    result: str
    tokens: int

@web_app.get("/health")
def health():
    return {"status": "healthy"}

@web_app.post("/predict", response_model=PredictResponse)
def predict(request: PredictRequest):
    # Your logic here
    result = process(request.text)
    return PredictResponse(result=result, tokens=len(result.split()))

@web_app.get("/items/{item_id}")
def get_item(item_id: int):
    if item_id < 0:
        raise HTTPException(status_code=404, detail="Item not found")
    return {"item_id": item_id}

@app.function()
@modal.asgi_app()
def fastapi_app():
    return web_app
