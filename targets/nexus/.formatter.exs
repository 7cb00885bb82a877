[inputs: ["mix.exs", "client/mix.exs", "lib/**/*.ex", "registries/**/*.ex", "client/lib/**/*.ex"]]
