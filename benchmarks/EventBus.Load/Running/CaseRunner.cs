using System.Diagnostics;

namespace EventBus.Load;

/// <summary>Runs cases with a worker process for each contender; all live until the case ends.</summary>
/// <param name="isShort">True to show only that it runs.</param>
/// <param name="profilesAll">True to profile the bus and the raw client in every row.</param>
internal sealed class CaseRunner(bool isShort, bool profilesAll = false)
{
    private const int MostEvents = 20_000_000;
    private const int MostOfList = 200_000;
    private const int MostInFlight = 200_000;
    private const int ShortRounds = 2;
    private const int WarmUpRounds = 4;

    private readonly double seconds = isShort ? 0.1 : 0.5;
    private readonly Progress progress = new();
    private readonly List<Profile> profiles = [];

    /// <summary>The profiles of the rows that missed a bar, and of what they were compared with.</summary>
    public IReadOnlyList<Profile> Profiles => profiles;

    public async Task<List<Series>> RunAsync(Case what)
    {
        Console.WriteLine();
        Console.WriteLine(Titles.Of(what.Arena));
        var workers = new List<(string Name, WorkerProcess Process)>();
        var found = new List<Series>();
        try
        {
            foreach (var contender in what.Contenders)
            {
                progress.Show($"starting {contender}");
                workers.Add((contender, contender == ContenderKind.OtherBuild
                    ? await WorkerProcess.StartAsync(what.OtherBuild!, what.Arena)
                    : await WorkerProcess.StartAsync(contender, what.Arena)));
            }

            foreach (var mode in what.Modes)
            {
                var series = await RunAsync(what, mode, workers);
                progress.Clear();
                ConsoleTable.Print(mode, series);
                found.AddRange(series);
            }
        }
        finally
        {
            progress.Clear();
            foreach (var (_, process) in workers)
            {
                await process.DisposeAsync();
            }
        }

        if (IsEvaluated(what))
        {
            await ProfileAsync(what, found);
        }

        return found;
    }

    private async Task<List<Series>> RunAsync(Case what, Mode mode, List<(string Name, WorkerProcess Process)> workers)
    {
        var rounds = isShort ? Math.Min(ShortRounds, what.Rounds) : what.Rounds;
        var (works, warmUps) = (new List<Work>(), new List<WarmUp?>());
        foreach (var (name, process) in workers)
        {
            progress.Show($"{Titles.Of(mode)}: warming up {name}");
            var (work, warmUp) = await WarmUpAsync(what, mode, process);
            works.Add(work);
            warmUps.Add(warmUp);
        }

        var samples = workers.ConvertAll(_ => new List<Sample>());
        await MeasureAsync(mode, workers, works, samples, rounds);
        while (IsEvaluated(what)
            && samples.Max(each => each.Count) < Bar.MostRounds
            && Bars.Contenders(Found(), Bar.Undecided) is { Count: > 0 } undecided)
        {
            // More rounds of those that are compared only. The others keep fewer, which are compared with as many.
            var chosen = Enumerable.Range(0, workers.Count).Where(i => undecided.Contains(workers[i].Name)).ToList();
            await MeasureAsync(
                mode,
                chosen.ConvertAll(i => workers[i]),
                chosen.ConvertAll(i => works[i]),
                chosen.ConvertAll(i => samples[i]),
                Math.Min(Bar.LeastRounds, Bar.MostRounds - samples.Max(each => each.Count)));
        }

        return Found();

        List<Series> Found() => [.. workers.Select((worker, i) =>
            new Series(what.Arena with { Address = "" }, mode, worker.Name, works[i].Events, works[i].Rate, samples[i])
            {
                WarmUp = warmUps[i],
            })];
    }

    /// <summary>Measures contenders in turns.</summary>
    private async Task MeasureAsync(
        Mode mode,
        List<(string Name, WorkerProcess Process)> workers,
        List<Work> works,
        List<List<Sample>> samples,
        int rounds)
    {
        for (var round = 0; round < rounds; round++)
        {
            for (var turn = 0; turn < workers.Count; turn++)
            {
                // The order changes in each round, so that no contender always runs on the warmer machine or after the
                // same one.
                var place = round % 2 == 0
                    ? (turn + (round / 2)) % workers.Count
                    : (workers.Count - 1 - turn + (round / 2)) % workers.Count;
                progress.Show($"{Titles.Of(mode)}: round {samples[place].Count + 1}, {workers[place].Name}");

                // After a failure its late events would be counted with those of the next measurement.
                samples[place].Add(workers[place].Process.Problem is { } problem
                    ? Sample.Failed(problem)
                    : await workers[place].Process.RunAsync(works[place]));
            }
        }
    }

    /// <summary>True if the bars of a case are evaluated: it then gets more rounds, and profiles.</summary>
    private bool IsEvaluated(Case what) => !isShort && what.OtherBuild is null && what.Rounds >= Bar.LeastRounds;

    /// <summary>
    /// Profiles the contenders of each missed bar in new processes, because the compiler has to record the addresses of
    /// its code.
    /// </summary>
    private async Task ProfileAsync(Case what, List<Series> found)
    {
        foreach (var mode in what.Modes)
        {
            var series = found.Where(each => each.Mode == mode).ToList();
            var missed = profilesAll ? [ContenderKind.Raw, ContenderKind.Bus] : Bars.Contenders(series, Bar.Missed);
            foreach (var one in series.Where(each => missed.Contains(each.Contender)))
            {
                progress.Show($"{Titles.Of(mode)}: profile of {one.Contender}");
                await using var process = await WorkerProcess.StartAsync(one.Contender, what.Arena, isProfiled: true);
                var (work, _) = await WarmUpAsync(what, mode, process);
                var profile = await Profiler.RunAsync(process, one, work);
                progress.Clear();
                profile.Print();
                profiles.Add(profile);
            }
        }
    }

    /// <summary>Warms up the code, and finds the number of events that take the time of a round.</summary>
    private async Task<(Work Work, WarmUp? WarmUp)> WarmUpAsync(Case what, Mode mode, WorkerProcess process)
    {
        if (mode == Mode.AtRate)
        {
            var rate = Suites.RateOf(what.Arena.Transport);
            var atRate = new Work(mode, (int)(rate * seconds * 2), rate);
            _ = await process.RunAsync(atRate);
            return (atRate, null);
        }

        if (what.Events is { } events)
        {
            _ = await process.RunAsync(new Work(mode, Math.Min(events, 1_000)));
            return (new Work(mode, isShort ? Math.Min(events, 10_000) : events), null);
        }

        var fitting = await FitAsync(mode, process);
        return isShort ? (fitting, null) : await new WarmUpRun(process, seconds, MostOf(mode)).RunAsync(fitting);
    }

    private async Task<Work> FitAsync(Mode mode, WorkerProcess process)
    {
        // Cold code is too slow for an estimate: the warm-up repeats for a while, and the last run counts.
        var most = MostOf(mode);
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

    private static int MostOf(Mode mode) => mode switch { Mode.List => MostOfList, Mode.OneInFlight => MostInFlight, _ => MostEvents };
}
