using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Handles the deliveries of an ordered subscription. Distributes them to partitions by key; each partition handles one
/// delivery at a time.
/// </summary>
/// <remarks>
/// When a partition is full, the pump waits for it, so that memory is bounded and the order of the transport is kept.
/// </remarks>
[SuppressMessage("Design", "CA1001", Justification = "A semaphore whose wait handle is never asked for holds nothing to dispose.")]
internal sealed class OrderedWorker(
    SubscriptionRuntime subscription,
    Receiver receiver,
    DeliveryProcessor processor,
    FailureRecorder failures,
    BusServices services)
    : SubscriptionWorker(subscription, receiver, processor, failures, services)
{
    private const int PartitionCapacity = 64;

    private readonly Channel<Delivery>[] partitions =
        [.. Enumerable.Range(0, subscription.Subscription.Concurrency).Select(_ => Channel.CreateBounded<Delivery>(
            new BoundedChannelOptions(PartitionCapacity) { SingleReader = true, SingleWriter = true }))];

    // Deferred events, and dead letters that are retried after their key has continued, are not part of a line. They
    // run between two deliveries of their partition, and one at a time with the other retries of the partition.
    private readonly SemaphoreSlim[]? turns = NeedsTurns(subscription) ? NewTurns(subscription) : null;
    private readonly SemaphoreSlim[]? retryTurns = NeedsTurns(subscription) ? NewTurns(subscription) : null;

    private Task[] loops = [];
    private int held;

    public override bool HasWaiting => Volatile.Read(ref held) > 0 || base.HasWaiting;

    public override bool HasEnded => base.HasEnded || loops.Any(loop => loop.IsCompleted);

    public override async Task RetryAsync(FailedEvent entry, long probe, CancellationToken lost)
    {
        // Deliveries wait behind the failed event of their key anyway, so its retry does not take the delivery turn.
        // When the store is full, deliveries keep their turn, and the success of the retry makes room.
        var partition = PartitionOf(entry.Envelope.Key ?? "");
        SemaphoreSlim?[] needed = [entry.LineKey is null ? turns?[partition] : null, retryTurns?[partition]];
        var taken = new Stack<SemaphoreSlim>(needed.Length);
        try
        {
            foreach (var turn in needed.OfType<SemaphoreSlim>())
            {
                await turn.WaitAsync(Services.Abort);
                taken.Push(turn);
            }

            await base.RetryAsync(entry, probe, lost);
        }
        catch (OperationCanceledException) when (taken.Count < needed.Count(turn => turn is not null))
        {
            await Failures.ReleaseAtStopAsync(entry);
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
        loops = [.. partitions.Select(
            (partition, i) => Services.Runner.Start($"{Name} partition {i}", () => HandlePartitionAsync(partition.Reader, turns?[i])))];
        try
        {
            while (!IsOver && await Deliveries.WaitToReadAsync())
            {
                await WhenMayEnterAsync();
                while (!Pause.IsClosed && CircuitBreaker is not { MayEnter: false } && Deliveries.TryRead(out var delivery))
                {
                    var partition = partitions[PartitionOf(delivery.Envelope.Key ?? "")].Writer;
                    if (!partition.TryWrite(delivery))
                    {
                        await partition.WriteAsync(delivery);
                    }
                }
            }
        }
        finally
        {
            foreach (var partition in partitions)
            {
                partition.Writer.Complete();
            }
        }

        // Deliveries in the partitions still need slots: the drain must take all slots only after the partitions have
        // ended.
        await Task.WhenAll(loops);
    }

    private static bool NeedsTurns(SubscriptionRuntime subscription) =>
        subscription.Guard is not null || subscription.Failure.ContinueWhenBlocked;

    private static SemaphoreSlim[] NewTurns(SubscriptionRuntime subscription) =>
        [.. Enumerable.Range(0, subscription.Subscription.Concurrency).Select(_ => new SemaphoreSlim(1))];

    private async Task HandlePartitionAsync(ChannelReader<Delivery> partition, SemaphoreSlim? turn)
    {
        while (await partition.WaitToReadAsync())
        {
            while (partition.TryRead(out var delivery))
            {
                // Neither call throws.
                var probe = await EnterAsync(turn);
                await HandleInOrderAsync(delivery);
                CircuitBreaker?.EndProbe(probe);
                Runtime.Slots.Release();
                turn?.Release();
            }

            Services.Idle.Set();
        }
    }

    /// <summary>
    /// Takes the turn and a slot. Holds neither while the subscription is paused: a retry that is a probe needs them.
    /// </summary>
    /// <returns>The number of the probe if the delivery is one; 0 otherwise.</returns>
    private async ValueTask<long> EnterAsync(SemaphoreSlim? turn)
    {
        Interlocked.Increment(ref held);
        while (true)
        {
            await WhenMayEnterAsync();
            await (turn?.WaitAsync() ?? Task.CompletedTask);
            await Runtime.Slots.TakeAsync();
            var probe = 0L;
            if (IsOver || (!Pause.IsClosed && (CircuitBreaker is not { } breaker || breaker.TryEnter(out probe))))
            {
                Interlocked.Decrement(ref held);
                return probe;
            }

            Runtime.Slots.Release();
            turn?.Release();
        }
    }

    private async Task WhenMayEnterAsync()
    {
        await Pause.WhenOpenAsync();
        await (CircuitBreaker?.WhenMayEnterAsync() ?? Task.CompletedTask);
    }

    private async ValueTask HandleInOrderAsync(Delivery delivery)
    {
        try
        {
            if (Services.Abort.IsCancellationRequested || IsOver || delivery.Lost.IsCancellationRequested)
            {
                await delivery.ReleaseAsync();
            }
            else if (await Failures.TryParkAsync(Runtime.Failure, delivery.Envelope, Runtime.Slots))
            {
                await delivery.AckAsync();
            }
            else
            {
                await Processor.HandleAsync(delivery, Services.Time.GetTimestamp());
            }
        }
        catch (Exception) when (Services.Abort.IsCancellationRequested)
        {
            await delivery.ReleaseAsync();
        }
        catch (Exception exception)
        {
            // No exception may end the partition: the delivery stays with the transport.
            Processor.ReportUnsettled(delivery, exception);
        }
    }

    /// <summary>
    /// Hashes the key with FNV-1a (Fowler, Noll, Vo; 32 bits) over its characters: unlike the randomized string hash,
    /// it gives the same partition in every process.
    /// </summary>
    private int PartitionOf(string key)
    {
        var hash = 2_166_136_261u;
        foreach (var c in key)
        {
            hash = (hash ^ c) * 16_777_619u;
        }

        return (int)(hash % (uint)partitions.Length);
    }
}
