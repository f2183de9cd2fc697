"""The values that all other rooms speak in: frozen, validated, without behaviour of their own."""
