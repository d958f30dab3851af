"""The metrics of runs where others look at them: TensorBoard, Weights & Biases, marl-eval. All follow metrics.jsonl."""
