using BenchmarkDotNet.Running;
using EventBus.Benchmarks;

// Usage: dotnet run -c Release --project benchmarks/EventBus.Benchmarks -- --filter '*' [--job short] [any option of
// BenchmarkDotNet]
//        dotnet run -c Release --project benchmarks/EventBus.Benchmarks -- --short [--filter '*']
var switcher = BenchmarkSwitcher.FromAssembly(typeof(Verdict).Assembly);
return args.Contains(ShortForm.Option)
    ? Verdict.Of(switcher.Run(ShortForm.Arguments(args), ShortForm.Config), mustRun: true)
    : Verdict.Of(switcher.Run(args), mustRun: false);
