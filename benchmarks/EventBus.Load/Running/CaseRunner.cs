using System.Diagnostics;

namespace EventBus.Load;

/// <summary>Runs cases with a worker process for each contender; all live until the case ends.</summary>
/// <param name="isShort">True to show only that it runs.</param>
internal sealed class CaseRunner(bool isShort)
{
    private const int MostEvents = 20_000_000;
    private const int MostOfList = 200_000;
    private const int MostInFlight = 200_000;
    private const int ShortRounds = 2;
    private const int WarmUpRounds = 4;

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
                workers.Add((contender, contender == ContenderKind.OtherBuild
                    ? await WorkerProcess.StartAsync(what.OtherBuild!, what.Arena)
                    : await WorkerProcess.StartAsync(contender, what.Arena)));
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
                // The order changes in each round, so that no contender always runs on the warmer machine or after the
                // same one.
                var place = round % 2 == 0
                    ? (turn + (round / 2)) % workers.Count
                    : (workers.Count - 1 - turn + (round / 2)) % workers.Count;
                progress.Show($"{Titles.Of(mode)}: round {round + 1} of {rounds}, {workers[place].Name}");

                // After a failure its late events would be counted with those of the next measurement.
                samples[place].Add(workers[place].Process.Problem is { } problem
                    ? Sample.Failed(problem)
                    : await workers[place].Process.RunAsync(works[place]));
            }
        }

        return [.. workers.Select(
            (worker, i) => new Series(what.Arena with { Address = "" }, mode, worker.Name, works[i].Events, works[i].Rate, samples[i]))];
    }

    /// <summary>Warms up the code, and finds the number of events that take the time of a round.</summary>
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

        // Cold code is too slow for an estimate: the warm-up repeats for a while, and the last run counts.
        var most = mode switch { Mode.List => MostOfList, Mode.OneInFlight => MostInFlight, _ => MostEvents };
        var work = new Work(mode, mode == Mode.OneInFlight ? 10 : 100);
        var startedAt = Stopwatch.GetTimestamp();
        for (var runs = 1; ; runs++)
        {
            var sample = await process.RunAsync(work);
            if (sample.Problem is not null)
            {
                return work;
            }

            var fitting = (int)Math.Clamp(sample.EventsPerSecond * seconds, 10, most);
            if (runs >= WarmUpRounds
                && Stopwatch.GetElapsedTime(startedAt).TotalSeconds >= WarmUpRounds * seconds
                && fitting < work.Events * 1.5)
            {
                return work with { Events = fitting };
            }

            work = work with { Events = (int)Math.Clamp(fitting, work.Events / 2, Math.Min(work.Events * 8L, most)) };
        }
    }
}
