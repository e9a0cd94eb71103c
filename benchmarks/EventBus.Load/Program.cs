using System.Globalization;
using EventBus.Load;

const string Usage = """
    Usage: dotnet run -c Release --project benchmarks/EventBus.Load -- [SUITE...] [--peers] [--short] [--save]
           dotnet run -c Release --project benchmarks/EventBus.Load -- [SUITE...] [--only TEXT] [--profile]
           dotnet run -c Release --project benchmarks/EventBus.Load -- render [--check]
           dotnet run -c Release --project benchmarks/EventBus.Load -- against FILE [CASE...] [ROUNDS] [--short]

    Suites: transports (the default: all transports in one table), memory, rabbitmq, redis, redis-pubsub, kafka, curves, hello, order,
            sagas; all.
    --peers   other libraries take part where they can
    --short   shows that everything runs; its figures decide nothing
    --save    keeps what was found under benchmarks/results, from which render makes the tables and plots of docs/benchmarks.md
    --only    runs the cases whose title contains TEXT, for instance "5 subscriptions"
    --profile profiles the bus and the raw client in every row, not only where a bar was missed
    --check   says whether they are up to date instead
    against   compares the bus with that of another build, whose EventBus.Load.dll is given (15 rounds by default);
              cases: memory, fan-out, redis, rabbitmq, kafka
    """;

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args is [Worker.Command])
{
    return await Worker.RunAsync();
}

if (args is [Hello.Command, var name] && ContenderKind.All.Any(kind => kind.Name == name && kind.Transports.Contains(Transport.Memory)))
{
    return await Hello.RunContenderAsync(name);
}

string[] options = ["--peers", "--short", "--save", "--check", "--only", "--profile"];
string[] known = ["transports", "memory", "rabbitmq", "redis", "redis-pubsub", "kafka", "curves", "hello", "order", "sagas"];
var only = args.IndexOf("--only") is var place and >= 0 && place + 1 < args.Length ? args[place + 1] : "";
var asked = args.Where(arg => !options.Contains(arg) && arg != only).ToList();
if (asked is ["render"])
{
    return Documents.Render(args.Contains("--check"));
}

if (asked is ["against", var file, .. var which])
{
    var rounds = which is [.., var last] && int.TryParse(last, out var given) ? given : 15;
    return await new SuiteRunner(args.Contains("--short"), peers: false, save: false, only, profile: false).CompareAsync(
        Path.GetFullPath(file),
        which,
        rounds);
}

if ((args.Contains("--short") || only.Length > 0) && args.Contains("--save"))
{
    await Console.Error.WriteLineAsync("--save keeps whole suites with figures that decide; it goes with neither --short nor --only.");
    return 2;
}

if (args.Contains("--help") || asked.Exists(arg => arg != "all" && !known.Contains(arg)))
{
    await Console.Error.WriteLineAsync(Usage);
    return 2;
}

return await new SuiteRunner(
    args.Contains("--short"),
    args.Contains("--peers"),
    args.Contains("--save"),
    only,
    args.Contains("--profile")).RunAsync(
    asked.Contains("all") ? known : asked.Count == 0 ? ["transports"] : asked);
