using System.Diagnostics;

namespace EventBus.Load;

/// <summary>The bus against the raw client over one broker, in pairs whose order changes, both alive throughout.</summary>
internal sealed class Duel(Contender bus, Contender raw, int pairs)
{
    private const int Publishers = 64;

    /// <summary>Each of many publishers awaits its own publish; until the last handler has run.</summary>
    public Task<bool> InFlightAsync(int events, double leastRatio) => ThroughputAsync($"{Publishers} publishers, each awaits its publish", events, leastRatio, contender =>
    {
        var next = 0;
        return Task.WhenAll(Enumerable.Range(0, Publishers).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Increment(ref next) is var number && number <= events)
            {
                await contender.PublishAsync(Workload.Events[number & 1023]);
            }
        })));
    });

    /// <summary>One publisher sends a list; until the last handler has run.</summary>
    public Task<bool> ListAsync(int events, double? leastRatio)
    {
        OrderPlaced[] list = [.. Enumerable.Range(0, events).Select(i => Workload.Events[i & 1023])];
        return ThroughputAsync("as a list", events, leastRatio, contender => contender.PublishManyAsync(list));
    }

    /// <summary>One event in flight: from the publish call to the first line of the handler.</summary>
    public async Task<bool> LatencyAsync(int events, double mostTimes)
    {
        Console.WriteLine($"  one event in flight: {pairs} interleaved pairs of {events:N0} events");
        var (ofRaw, ofBus) = await PairAsync(contender => DelaysAsync(contender, events));
        foreach (var (name, all) in new[] { ("raw client", ofRaw), ("event bus ", ofBus) })
        {
            Console.WriteLine($"    {name} p50 {Figures.Median(all.Select(s => Figures.Percentile(s, 0.5))),7:0} us, p99 {Figures.Median(all.Select(s => Figures.Percentile(s, 0.99))),7:0} us");
        }

        var times = Figures.Median(ofBus.Zip(ofRaw, (b, r) => Figures.Percentile(b, 0.5) / Figures.Percentile(r, 0.5)));
        return Figures.Bar(times <= mostTimes, $"p50 is {times:0.00} times that of the raw client, at most {mostTimes:0.00} (median of the pairs)");
    }

    private static async Task<double[]> DelaysAsync(Contender contender, int events)
    {
        var delays = new double[events];
        for (var i = 0; i < events; i++)
        {
            var arrived = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
            contender.Arrived = () => arrived.SetResult(Stopwatch.GetTimestamp());
            var startedAt = Stopwatch.GetTimestamp();
            await contender.PublishAsync(Workload.Events[i & 1023]);
            delays[i] = (await arrived.Task - startedAt) * 1e6 / Stopwatch.Frequency;
        }

        return [.. delays.Order()];
    }

    private async Task<bool> ThroughputAsync(string how, int events, double? leastRatio, Func<Contender, Task> publish)
    {
        Console.WriteLine($"  {how}, end to end: {pairs} interleaved pairs of {events:N0} events");
        var (ofRaw, ofBus) = await PairAsync(contender => Sample.OfAsync(events, async () =>
        {
            var countdown = new Countdown(events);
            contender.Arrived = countdown.Count;
            await publish(contender);
            await countdown.Done;
        }));
        foreach (var (name, all) in new[] { ("raw client", ofRaw), ("event bus ", ofBus) })
        {
            Console.WriteLine($"    {name} {Figures.Median(all.Select(s => s.EventsPerSecond)),9:N0} events/s {Figures.Median(all.Select(s => s.BytesPerEvent)),6:0} B and {Figures.Median(all.Select(s => s.CpuMicrosecondsPerEvent)),3:0} us of CPU an event");
        }

        var ratio = Figures.Median(ofBus.Zip(ofRaw, (b, r) => b.EventsPerSecond / r.EventsPerSecond));
        if (leastRatio is { } least)
        {
            return Figures.Bar(ratio >= least, $"ratio {ratio:0.00}, at least {least:0.00} (median of the pairs)");
        }

        Console.WriteLine($"         ratio {ratio:0.00}, without a bar (median of the pairs)");
        return true;
    }

    private async Task<(List<T> Raw, List<T> Bus)> PairAsync<T>(Func<Contender, Task<T>> run)
    {
        _ = await run(bus);
        _ = await run(raw);
        var (ofRaw, ofBus) = (new List<T>(), new List<T>());
        for (var i = 0; i < pairs; i++)
        {
            // The order changes from pair to pair, so that neither always runs on the warmer machine.
            if (i % 2 == 0)
            {
                ofBus.Add(await run(bus));
                ofRaw.Add(await run(raw));
            }
            else
            {
                ofRaw.Add(await run(raw));
                ofBus.Add(await run(bus));
            }
        }

        return (ofRaw, ofBus);
    }
}
