"""The named sizes as plain data: each one is complete by itself. `electra_tf.config.PRESETS` checks them."""

_PAPER_PRETRAINING = {"optimizer": {"learning_rate": 2e-4, "warmup_steps": 10_000}, "sequence_length": 512}

# small ... large: the released code and table 6 of the paper; base and large: batch and steps of the paper.
# tiny, mini and half_hour are ours, sized for two CPU cores; one pass over little text needs no dropout. What tiny's
# words start from is worth hours to it, and joint updates would wash it out (benchmarks/NOTES.md).
PRESET_SETTINGS = {
    "tiny": {
        "model": {"vocabulary_size": 8192, "embedding_size": 128, "hidden_size": 128, "num_layers": 4, "num_heads": 2,
                  "intermediate_size": 512, "generator_size": 0.5, "hidden_dropout": 0.0, "attention_dropout": 0.0},
        "optimizer": {"learning_rate": 3e-4, "warmup_steps": 500, "word_embeddings_rate": 0.0},
        "first_embeddings": "cooccurrence", "first_positions": "sinusoids",
        "sequence_length": 64, "batch_size": 64, "train_steps": 20_000},
    "mini": {
        "model": {"vocabulary_size": 16384, "embedding_size": 96, "hidden_size": 192, "num_layers": 6, "num_heads": 3,
                  "intermediate_size": 768, "generator_size": 1 / 3},
        "optimizer": {"learning_rate": 7e-4, "warmup_steps": 2_000},
        "sequence_length": 128, "batch_size": 64, "train_steps": 200_000},
    # What half an hour on two cores is best spent on: found by benchmarks/quality_for_time.py (docs/speed.md).
    "half_hour": {
        "model": {"vocabulary_size": 8192, "embedding_size": 96, "hidden_size": 192, "num_layers": 6, "num_heads": 3,
                  "intermediate_size": 768, "generator_size": 0.5},
        "optimizer": {"learning_rate": 2.5e-4, "warmup_steps": 2_000, "word_embeddings_rate": 0.0},
        "first_embeddings": "cooccurrence", "first_positions": "sinusoids",
        "sequence_length": 128, "batch_size": 32, "time_budget": "30m"},
    "small": {
        "model": {"embedding_size": 128, "hidden_size": 256, "num_layers": 12, "num_heads": 4,
                  "intermediate_size": 1024, "generator_size": 0.25},
        "optimizer": {"learning_rate": 5e-4, "warmup_steps": 10_000},
        "sequence_length": 128, "batch_size": 128, "train_steps": 1_000_000},
    "small_plus_plus": {
        "model": {"embedding_size": 128, "hidden_size": 256, "num_layers": 12, "num_heads": 4,
                  "intermediate_size": 1024, "generator_size": 1.0},
        "optimizer": {"learning_rate": 5e-4, "warmup_steps": 10_000},
        "sequence_length": 512, "batch_size": 128, "train_steps": 4_000_000},
    "base": {
        "model": {"embedding_size": 768, "hidden_size": 768, "num_layers": 12, "num_heads": 12,
                  "intermediate_size": 3072, "generator_size": 1 / 3},
        **_PAPER_PRETRAINING, "batch_size": 256, "train_steps": 766_000},
    "large": {
        "model": {"embedding_size": 1024, "hidden_size": 1024, "num_layers": 24, "num_heads": 16,
                  "intermediate_size": 4096, "generator_size": 0.25},
        "masking": {"mask_rate": 0.25},
        **_PAPER_PRETRAINING, "batch_size": 2048, "train_steps": 400_000},
}

# Where the paper and the released code disagree with each other or with us; docs/recipes.md gives the reasons. What
# stands here goes over a preset and over the defaults of fine-tuning. Sizes other than small: see docs/recipes.md.
RECIPE_SETTINGS = {
    "ours": {"pretraining": {}, "fine_tuning": {}},
    "paper": {
        "pretraining": {
            "masking": {"mask_symbol_rate": 1.0}, "objective": {"shared": "token_position"},
            "optimizer": {"bias_correction": True, "word_embeddings_rate": 1.0}, "first_embeddings": "random",
            "first_positions": "random"},
        "fine_tuning": {"learning_rate": 3e-4, "weight_decay": 0.0, "loss_reduction": "mean", "bias_correction": True}},
    "original": {
        "pretraining": {
            "masking": {"mask_sampling": "with_replacement", "repeated_positions": "average", "sampler": "gumbel"},
            "optimizer": {"clip_rows": "separate", "word_embeddings_rate": 1.0}, "first_embeddings": "random",
            "first_positions": "random"},
        "fine_tuning": {"learning_rate": 1e-4, "layer_decay_offset": 2, "clip_rows": "separate"}},
}
