using System.Globalization;
using EventBus.Load;

// Usage: dotnet run -c Release --project benchmarks/EventBus.Load -- [throughput] [latency] [order] [sagas] [rabbitmq] [redis] [all] [--short]
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var isShort = args.Contains("--short");
string[] known = ["throughput", "latency", "order", "sagas", "rabbitmq", "redis"];
var asked = args.Where(arg => arg != "--short").ToList();
if (asked.Find(arg => arg != "all" && !known.Contains(arg)) is { } unknown)
{
    await Console.Error.WriteLineAsync($"Unknown benchmark '{unknown}'. Known: {string.Join(", ", known)}, all; and --short for a quick run.");
    return 2;
}

var run = asked.Count == 0 || asked.Contains("all") ? known : [.. asked];
Console.WriteLine($"{Environment.ProcessorCount} cores, .NET {Environment.Version}, {(System.Runtime.GCSettings.IsServerGC ? "server" : "workstation")} GC. Ratios within one run mean something; absolute figures drift.");
var held = true;
if (run.Contains("throughput"))
{
    held &= await Throughput.RunAsync(subscriptions: 1, isShort);
    held &= await Throughput.RunAsync(subscriptions: 5, isShort);
}

if (run.Contains("latency"))
{
    held &= await Latency.RunAsync(isShort);
}

if (run.Contains("order"))
{
    held &= await OrderedLanes.RunAsync(isShort);
}

if (run.Contains("sagas"))
{
    await SagaLoad.RunAsync(isShort);
}

if (run.Contains("rabbitmq"))
{
    held &= await RabbitMqLoad.RunAsync(isShort);
}

if (run.Contains("redis"))
{
    held &= await RedisLoad.RunAsync(isShort);
}

Console.WriteLine();
Console.WriteLine(held ? "Every bar was met." : "At least one bar was missed; see above.");

// The short form shows that the programs run. On a machine that is busy with other things its figures decide nothing.
return held || isShort ? 0 : 1;
