"""The engines that sample for the methods: one interface (`base`), one module an engine."""
