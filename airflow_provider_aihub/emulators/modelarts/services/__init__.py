"""The API: one module for each service, with what requests bring as models and the endpoints as routes."""
