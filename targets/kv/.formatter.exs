[inputs: ["mix.exs", "{lib,registries,test}/**/*.{ex,exs}"]]
