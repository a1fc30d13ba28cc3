import modal
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = modal.App("websocket-api")

web_app = FastAPI()

@web_app.websocket("/ws")
async def websocket_endpoint(websocket: WebSocket):
    await websocket.accept()
    try:
        while True:
            data = await websocket.receive_text()
            await websocket.send_text(f"Echo: {data}")
    except WebSocketDisconnect:
        print("Client disconnected")

@app.function()
@modal.asgi_app()
def ws_app():
    return web_app
