using System.Globalization;
using EventBus.ReadModel;

const string Usage = """
    Usage: dotnet run -c Release --project benchmarks/EventBus.ReadModel -- [--short | --save | ROUNDS]
           dotnet run -c Release --project benchmarks/EventBus.ReadModel -- render [--check]

    Measures checkouts of samples/Checkout while order queries run on the write tables and on the read model.
    --short   shows that everything runs; its figures decide nothing
    ROUNDS    the number of rounds; 15 by default
    --save    keeps the results in benchmarks/EventBus.ReadModel/results.json, and writes the table of docs/cqrs.md
    render    writes the table from the kept results; with --check it says whether the table is up to date instead
    """;

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
switch (args)
{
    case [] or ["--save"]:
        var found = await new Comparison(LoadPlan.Full).RunAsync();
        if (args is [])
        {
            return 0;
        }

        found.Save();
        return Document.Render(check: false);

    case ["--short"]:
        await new Comparison(LoadPlan.Short).RunAsync();
        return 0;

    case [var rounds] when int.TryParse(rounds, out var count) && count > 0:
        await new Comparison(LoadPlan.Full with { Rounds = count }).RunAsync();
        return 0;

    case ["render"] or ["render", "--check"]:
        return Document.Render(check: args.Length == 2);

    default:
        await Console.Error.WriteLineAsync(Usage);
        return 2;
}
