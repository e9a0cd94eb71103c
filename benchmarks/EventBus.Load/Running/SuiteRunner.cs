namespace EventBus.Load;

/// <summary>Runs suites one after the other, stores their results, and evaluates them.</summary>
internal sealed class SuiteRunner(bool isShort, bool peers, bool save, string only, bool profile)
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

            if (save && found is [.., var file] && file.Suite == suite && !file.IsEmpty)
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

    /// <summary>Compares the bus of another build with the bus of this one, in the same rounds.</summary>
    /// <param name="path">The file <c>EventBus.Load.dll</c> of the other build.</param>
    /// <param name="which">The names of the cases (<see cref="Suites.Builds"/>); all cases if it contains none.</param>
    /// <param name="rounds">The number of measurements of each.</param>
    public async Task<int> CompareAsync(string path, IReadOnlyList<string> which, int rounds)
    {
        Console.WriteLine($"{Machine.Current()}. Ratios of this build to {path}.");
        var (failed, runner) = (false, new CaseRunner(isShort));
        var cases = Suites.Builds(rounds);
        var chosen = cases.Where(each => which.Contains(each.Name)).ToList();
        foreach (var (_, what) in chosen.Count > 0 ? chosen : cases)
        {
            if (Server.ReasonToSkip(what.Arena.Transport) is { } reason)
            {
                Console.WriteLine($"{Titles.Of(what.Arena)}: skipped, {reason}.");
                continue;
            }

            await using var server = await Server.StartAsync(what.Arena.Transport);
            await using var other = await Server.StartAsync(what.Arena.Transport);
            var series = await runner.RunAsync(what with
            {
                Arena = what.Arena with { Address = server.Address },
                OtherBuild = new OtherBuild(path, other.Address),
            });
            failed |= series.Exists(each => each.Problem is not null);
        }

        return failed ? 1 : 0;
    }

    private async Task<ResultFile> RunAsync(string suite)
    {
        var (found, versions) = (new List<Series>(), new Dictionary<string, string>());
        var runner = new CaseRunner(isShort, profile);
        var cases = Suites.Load[suite](peers, isShort).Where(each => Titles.Of(each.Arena).Contains(only, StringComparison.Ordinal));
        foreach (var what in cases)
        {
            if (Server.ReasonToSkip(what.Arena.Transport) is { } reason)
            {
                Console.WriteLine($"{Titles.Of(what.Arena)}: skipped, {reason}.");
                continue;
            }

            await using var server = await Server.StartAsync(what.Arena.Transport);
            if (server.Name is { } name)
            {
                versions[name] = server.Version;
            }

            found.AddRange(await runner.RunAsync(what with { Arena = what.Arena with { Address = server.Address } }));
        }

        return new ResultFile(suite, Machine.Current(), versions, found)
        {
            Profiles = runner.Profiles.Count > 0 ? runner.Profiles : null,
        };
    }
}
