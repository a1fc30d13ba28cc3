import modal
from flask import Flask, request, jsonify

app = modal.App("flask-api")

flask_app = Flask(__name__)

@flask_app.route("/")
def home():
    return jsonify({"message": "Hello from Flask!"})

@flask_app.route("/predict", methods=["POST"])
def predict():
    data = request.json
    result = process(data["text"])
    return jsonify({"result": result})

@app.function()
@modal.wsgi_app()
def flask_endpoint():
    return flask_app
