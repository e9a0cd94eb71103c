using System.Diagnostics;

namespace EventBus.Load;

/// <summary>Measures one contender in one arena, in a worker process.</summary>
internal sealed class Measurement(Contender contender, Arena arena)
{
    private const int Publishers = 64;
    private const int ListSize = 10_000;

    private readonly Workload events = new(arena);

    public async Task<Sample> RunAsync(Work work)
    {
        try
        {
            await contender.ResetAsync();
            return await (work.Mode switch
            {
                Mode.OneByOne => ThroughputAsync(work.Events, OneByOneAsync),
                Mode.InFlight64 => ThroughputAsync(work.Events, InFlightAsync),
                Mode.List => ListAsync(work.Events),
                Mode.OneInFlight => OneInFlightAsync(work.Events),
                Mode.AtRate => AtRateAsync(work.Events, work.Rate),
                _ => BacklogAsync(work.Events),
            });
        }
        catch (Exception exception)
        {
            return Sample.Failed($"{exception.GetType().Name}: {exception.Message}");
        }
    }

    private async Task<Sample> ThroughputAsync(int count, Func<int, Task> publishAsync)
    {
        var countdown = new Countdown((long)count * arena.Subscriptions);
        contender.Handle = _ => countdown.Count();
        var meter = Meter.Start();
        await publishAsync(count);
        await countdown.WaitAsync();
        return meter.Stop(count, []);
    }

    private async Task OneByOneAsync(int count)
    {
        for (var i = 0; i < count; i++)
        {
            await contender.PublishAsync(events[i]);
        }
    }

    private Task InFlightAsync(int count)
    {
        var next = -1;
        return Task.WhenAll(Enumerable.Range(0, Publishers).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Increment(ref next) is var number && number < count)
            {
                await contender.PublishAsync(events[number]);
            }
        })));
    }

    private Task<Sample> ListAsync(int count)
    {
        var list = events.List(count);
        return ThroughputAsync(count, _ => contender.PublishManyAsync(list));
    }

    private async Task<Sample> OneInFlightAsync(int count)
    {
        var delays = new long[count];
        var arrived = new TaskCompletionSource<long>();
        contender.Handle = _ => Volatile.Read(ref arrived).SetResult(Stopwatch.GetTimestamp());
        var meter = Meter.Start();
        for (var i = 0; i < count; i++)
        {
            Volatile.Write(ref arrived, new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously));
            var startedAt = Stopwatch.GetTimestamp();
            await contender.PublishAsync(events[i]);
            delays[i] = await arrived.Task - startedAt;
        }

        return meter.Stop(count, delays);
    }

    private async Task<Sample> AtRateAsync(int count, int rate)
    {
        var delays = new long[count];
        var arrived = -1;
        var countdown = new Countdown(count);
        contender.Handle = e =>
        {
            if (Interlocked.Increment(ref arrived) is var place && place < count)
            {
                delays[place] = Stopwatch.GetTimestamp() - e.Timestamp;
            }

            countdown.Count();
        };
        var meter = Meter.Start();
        await Pace.RunAsync(count, rate, (number, dueAt) => contender.PublishAsync(events.At(number, dueAt)));
        await countdown.WaitAsync();

        // The processor time is mostly that of the pace, which spins.
        return meter.Stop(count, delays) with { Cpu = 0 };
    }

    /// <summary>In memory as often as needed to publish all events: no more wait than the queue holds.</summary>
    private async Task<Sample> BacklogAsync(int count)
    {
        var wave = arena.Transport == Transport.Memory ? Math.Min(count, arena.Capacity) : count;
        using var open = new ManualResetEventSlim();
        var countdown = new Countdown(wave);
        contender.Handle = _ =>
        {
            // The thread blocks, so that a handler costs no more than in other modes when it continues.
            open.Wait();
            countdown.Count();
        };
        var list = events.List(Math.Min(wave, ListSize));
        var meter = Meter.Start();
        var sent = 0;
        for (; sent + wave <= count; sent += wave)
        {
            open.Reset();
            countdown = new Countdown(wave);
            await PublishWaveAsync(wave, list);
            open.Set();
            await countdown.WaitAsync();
        }

        return meter.Stop(sent, []);
    }

    private async Task PublishWaveAsync(int wave, OrderPlaced[] list)
    {
        for (var sent = 0; sent < wave; sent += list.Length)
        {
            await contender.PublishManyAsync(wave - sent >= list.Length ? list : list[..(wave - sent)]);
        }
    }
}
