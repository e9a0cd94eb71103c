namespace EventBus.Load;

/// <summary>Runs cases: a worker process for each contender, all alive while their turns come.</summary>
/// <param name="isShort">Shows that it runs, and little more.</param>
internal sealed class CaseRunner(bool isShort)
{
    private const int MostEvents = 20_000_000;
    private const int MostOfList = 200_000;
    private const int MostInFlight = 200_000;
    private const int ShortRounds = 2;

    private readonly double seconds = isShort ? 0.1 : 0.5;
    private readonly Progress progress = new();

    public async Task<List<Series>> RunAsync(Case what)
    {
        Console.WriteLine();
        Console.WriteLine(Titles.Of(what.Arena));
        var workers = new List<(string Name, WorkerProcess Process)>();
        try
        {
            foreach (var contender in what.Contenders)
            {
                progress.Show($"starting {contender}");
                workers.Add((contender, await WorkerProcess.StartAsync(contender, what.Arena)));
            }

            var found = new List<Series>();
            foreach (var mode in what.Modes)
            {
                var series = await RunAsync(what, mode, workers);
                progress.Clear();
                ConsoleTable.Print(mode, series);
                found.AddRange(series);
            }

            return found;
        }
        finally
        {
            progress.Clear();
            foreach (var (_, process) in workers)
            {
                await process.DisposeAsync();
            }
        }
    }

    private async Task<List<Series>> RunAsync(Case what, Mode mode, List<(string Name, WorkerProcess Process)> workers)
    {
        var rounds = isShort ? Math.Min(ShortRounds, what.Rounds) : what.Rounds;
        var works = new List<Work>();
        foreach (var (name, process) in workers)
        {
            progress.Show($"{Titles.Of(mode)}: warming up {name}");
            works.Add(await WarmUpAsync(what, mode, process));
        }

        var samples = workers.ConvertAll(_ => new List<Sample>());
        for (var round = 0; round < rounds; round++)
        {
            for (var turn = 0; turn < workers.Count; turn++)
            {
                // Whoever began a round is the last of the next, so that nobody always runs on the warmer machine, and all else being equal each follows each.
                var place = round % 2 == 0 ? (turn + (round / 2)) % workers.Count : (workers.Count - 1 - turn + (round / 2)) % workers.Count;
                progress.Show($"{Titles.Of(mode)}: round {round + 1} of {rounds}, {workers[place].Name}");
                samples[place].Add(await workers[place].Process.RunAsync(works[place]));
            }
        }

        return [.. workers.Select((worker, i) => new Series(what.Arena, mode, worker.Name, works[i].Events, works[i].Rate, samples[i]))];
    }

    /// <summary>Lets the compiler see the code often enough, and finds how many events take the time of a round.</summary>
    private async Task<Work> WarmUpAsync(Case what, Mode mode, WorkerProcess process)
    {
        if (mode == Mode.AtRate)
        {
            var rate = Suites.RateOf(what.Arena.Transport);
            var atRate = new Work(mode, (int)(rate * seconds * 2), rate);
            _ = await process.RunAsync(atRate);
            return atRate;
        }

        if (what.Events is { } events)
        {
            _ = await process.RunAsync(new Work(mode, Math.Min(events, 1_000)));
            return new Work(mode, isShort ? Math.Min(events, 10_000) : events);
        }

        var most = mode switch { Mode.List => MostOfList, Mode.OneInFlight => MostInFlight, _ => MostEvents };
        var work = new Work(mode, mode == Mode.OneInFlight ? 10 : 100);
        while (true)
        {
            var sample = await process.RunAsync(work);
            if (sample.Problem is not null)
            {
                return work;
            }

            var fitting = Math.Clamp(sample.EventsPerSecond * seconds, 10, most);
            if (work.Events >= fitting / 2)
            {
                // Once more at full length: the first such runs still meet code that is being compiled.
                work = work with { Events = (int)fitting };
                _ = await process.RunAsync(work);
                return work;
            }

            work = work with { Events = (int)Math.Min(work.Events * 8L, fitting) };
        }
    }
}
