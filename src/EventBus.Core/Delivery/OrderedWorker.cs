using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>The worker of an ordered subscription: deliveries are dealt to lanes by key, and each lane handles one at a time.</summary>
/// <remarks>A lane is full when it holds its capacity; the pump then waits for it, so that memory stays bounded and the transport's order is kept.</remarks>
[SuppressMessage("Design", "CA1001", Justification = "A semaphore whose wait handle is never asked for holds nothing to dispose.")]
internal sealed class OrderedWorker(SubscriptionRuntime subscription, Receiver receiver, DeliveryProcessor processor, WorkerEnvironment environment)
    : SubscriptionWorker(subscription, receiver, processor, environment)
{
    private const int LaneCapacity = 64;

    private readonly Channel<Delivery>[] lanes = [.. Enumerable.Range(0, subscription.Subscription.Concurrency).Select(_ => Channel.CreateBounded<Delivery>(
        new BoundedChannelOptions(LaneCapacity) { SingleReader = true, SingleWriter = true }))];

    // What a guard let wait, or people replay past a key that went on, stands outside the lines: it takes its turn between two deliveries of its lane, and with the retries of its lane.
    private readonly SemaphoreSlim[]? turns = NeedsTurns(subscription) ? NewTurns(subscription) : null;
    private readonly SemaphoreSlim[]? retryTurns = NeedsTurns(subscription) ? NewTurns(subscription) : null;

    private Task[] loops = [];
    private int held;

    public override bool HasWaiting => Volatile.Read(ref held) > 0 || base.HasWaiting;

    public override bool HasEnded => base.HasEnded || loops.Any(loop => loop.IsCompleted);

    public override async Task RetryAsync(FailedEvent entry, long probe, CancellationToken lost)
    {
        // Deliveries wait behind the head of their line anyway. It takes no turn from them: when the store is full they keep theirs, and its success is what makes room.
        var lane = LaneOf(entry.Envelope.KeyText ?? "");
        SemaphoreSlim?[] wanted = [entry.LineKey is null ? turns?[lane] : null, retryTurns?[lane]];
        var taken = new Stack<SemaphoreSlim>(wanted.Length);
        try
        {
            foreach (var turn in wanted.OfType<SemaphoreSlim>())
            {
                await turn.WaitAsync(Environment.Abort);
                taken.Push(turn);
            }

            await base.RetryAsync(entry, probe, lost);
        }
        catch (OperationCanceledException) when (taken.Count < wanted.Count(turn => turn is not null))
        {
            await Environment.Failures.GiveBackAsync(entry);
        }
        finally
        {
            foreach (var turn in taken)
            {
                turn.Release();
            }
        }
    }

    protected override async Task PumpAsync()
    {
        Environment.InHandler.Value = true;
        loops = [.. lanes.Select((lane, i) => Environment.Runner.Start($"{Name} lane {i}", () => LaneAsync(lane.Reader, turns?[i])))];
        try
        {
            while (CircuitBreaker is not { IsOver: true } && await Deliveries.WaitToReadAsync())
            {
                await (CircuitBreaker?.WhenMayEnterAsync() ?? Task.CompletedTask);
                while (CircuitBreaker is not { MayEnter: false } && Deliveries.TryRead(out var delivery))
                {
                    var lane = lanes[LaneOf(delivery.Envelope.KeyText ?? "")].Writer;
                    if (!lane.TryWrite(delivery))
                    {
                        await lane.WriteAsync(delivery);
                    }
                }
            }
        }
        finally
        {
            foreach (var lane in lanes)
            {
                lane.Writer.Complete();
            }
        }

        // What is in the lanes still needs slots: whoever drains takes them only after the lanes.
        await Task.WhenAll(loops);
    }

    private static bool NeedsTurns(SubscriptionRuntime subscription) => subscription.Guard is not null || subscription.Failure.ContinueWhenBlocked;

    private static SemaphoreSlim[] NewTurns(SubscriptionRuntime subscription) => [.. Enumerable.Range(0, subscription.Subscription.Concurrency).Select(_ => new SemaphoreSlim(1))];

    private async Task LaneAsync(ChannelReader<Delivery> lane, SemaphoreSlim? turn)
    {
        while (await lane.WaitToReadAsync())
        {
            while (lane.TryRead(out var delivery))
            {
                // Neither throws.
                var probe = await EnterAsync(turn);
                await HandleInOrderAsync(delivery);
                CircuitBreaker?.EndProbe(probe);
                Runtime.Slots.GiveBack();
                turn?.Release();
            }

            Environment.Idle.Set();
        }
    }

    /// <summary>Takes the turn and a slot. While the subscription is paused neither is held: a retry that probes needs them.</summary>
    /// <returns>The number of the probe that the delivery is; 0 for none.</returns>
    private async ValueTask<long> EnterAsync(SemaphoreSlim? turn)
    {
        Interlocked.Increment(ref held);
        while (true)
        {
            await (CircuitBreaker?.WhenMayEnterAsync() ?? Task.CompletedTask);
            await (turn?.WaitAsync() ?? Task.CompletedTask);
            await Runtime.Slots.TakeAsync();
            var probe = 0L;
            if (CircuitBreaker is not { } gauge || gauge.TryEnter(out probe) || gauge.IsOver)
            {
                Interlocked.Decrement(ref held);
                return probe;
            }

            Runtime.Slots.GiveBack();
            turn?.Release();
        }
    }

    private async ValueTask HandleInOrderAsync(Delivery delivery)
    {
        try
        {
            if (Environment.Abort.IsCancellationRequested || CircuitBreaker is { IsOver: true } || delivery.Lost.IsCancellationRequested)
            {
                await delivery.ReleaseAsync();
            }
            else if (await Environment.Failures.TryParkAsync(Runtime.Failure, delivery.Envelope, Runtime.Slots))
            {
                await delivery.AckAsync();
            }
            else
            {
                await Processor.HandleAsync(delivery, Environment.Time.GetTimestamp());
            }
        }
        catch (Exception) when (Environment.Abort.IsCancellationRequested)
        {
            await delivery.ReleaseAsync();
        }
        catch (Exception exception)
        {
            // Whatever it is, it must not end the lane: the delivery stays with the transport.
            Processor.ReportUnsettled(delivery, exception);
        }
    }

    /// <summary>FNV-1a over the key's characters (Fowler, Noll, Vo; 32 bits): the same lane in every process, unlike the randomised string hash.</summary>
    private int LaneOf(string key)
    {
        var hash = 2_166_136_261u;
        foreach (var c in key)
        {
            hash = (hash ^ c) * 16_777_619u;
        }

        return (int)(hash % (uint)lanes.Length);
    }
}
