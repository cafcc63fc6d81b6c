"""The whole product as processes on loopback: engines, services, replicas, and who looks after them."""
