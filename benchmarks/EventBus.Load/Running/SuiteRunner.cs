namespace EventBus.Load;

/// <summary>Runs suites one after the other, stores their results, and evaluates them.</summary>
internal sealed class SuiteRunner(bool isShort, bool peers, bool save)
{
    public async Task<int> RunAsync(IReadOnlyList<string> suites)
    {
        Console.WriteLine($"{Machine.Current()}. Ratios within one run mean something; absolute figures drift.");
        var (found, held) = (new List<ResultFile>(), true);
        foreach (var suite in suites)
        {
            switch (suite)
            {
                case "order":
                    held &= await OrderedPartitions.RunAsync(isShort);
                    break;
                case "sagas":
                    await SagaLoad.RunAsync(isShort);
                    break;
                case "hello":
                    found.Add(new ResultFile(
                        suite,
                        Machine.Current(),
                        new Dictionary<string, string>(),
                        [],
                        await Hello.RunAsync(isShort, peers)));
                    break;
                default:
                    found.Add(await RunAsync(suite));
                    break;
            }

            if (save && found.Count > 0 && found[^1].Suite == suite)
            {
                found[^1].Save(Repository.Results);
            }
        }

        Console.WriteLine();
        held &= Bars.Check(found);

        // The short form only shows that the programs run. On a busy machine its figures decide nothing.
        var problems = found.SelectMany(file => file.Series).Count(series => series.Problem is not null);
        Console.WriteLine(problems > 0 ? $"{problems} measurements failed; see above." : "");
        return problems == 0 && (held || isShort) ? 0 : 1;
    }

    private async Task<ResultFile> RunAsync(string suite)
    {
        var (found, versions) = (new List<Series>(), new Dictionary<string, string>());
        var runner = new CaseRunner(isShort);
        foreach (var what in Suites.Load[suite](peers, isShort))
        {
            await using var server = await Server.StartAsync(what.Arena.Transport);
            if (server.Name is { } name)
            {
                versions[name] = server.Version;
            }

            found.AddRange(await runner.RunAsync(what with { Arena = what.Arena with { Address = server.Address } }));
        }

        return new ResultFile(suite, Machine.Current(), versions, found);
    }
}
