module tidewaiter/fuzz

go 1.19
