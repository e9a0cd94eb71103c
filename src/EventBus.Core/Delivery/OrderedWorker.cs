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
    private readonly SemaphoreSlim[]? deliveryTurns = NeedsTurns(subscription) ? NewTurns(subscription) : null;
    private readonly SemaphoreSlim[]? retryTurns = NeedsTurns(subscription) ? NewTurns(subscription) : null;

    private Task[] loops = [];

    // The number of deliveries that partitions have taken and not begun.
    private int waitingInPartitions;

    public override bool HasWaiting => Volatile.Read(ref waitingInPartitions) > 0 || base.HasWaiting;

    public override bool HasEnded => base.HasEnded || loops.Any(loop => loop.IsCompleted);

    public override async Task RetryAsync(FailedEvent entry, long probe, CancellationToken lost)
    {
        // The retry of an event in a line does not take the delivery turn: later deliveries of its key are parked
        // behind it anyway. While the store is full, a delivery may keep that turn until a retry succeeds and makes
        // room.
        var partition = PartitionOf(entry.Envelope.Key ?? "");
        var deliveryTurn = entry.LineKey is null ? deliveryTurns?[partition] : null;
        var retryTurn = retryTurns?[partition];
        var taken = new Stack<SemaphoreSlim>();
        try
        {
            if (await TryTakeAsync(deliveryTurn, taken) && await TryTakeAsync(retryTurn, taken))
            {
                await base.RetryAsync(entry, probe, lost);
            }
            else
            {
                await Failures.Releaser.ReleaseAtStopAsync(entry);
            }
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
        loops = [.. partitions.Select((partition, i) =>
            Services.Runner.Start($"{Name} partition {i}", () => HandlePartitionAsync(partition.Reader, deliveryTurns?[i])))];
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
        subscription.Guard is not null || subscription.FailurePolicy.ContinueWhenBlocked;

    private static SemaphoreSlim[] NewTurns(SubscriptionRuntime subscription) =>
        [.. Enumerable.Range(0, subscription.Subscription.Concurrency).Select(_ => new SemaphoreSlim(1))];

    /// <summary>Takes a turn. Returns false if the bus aborts first.</summary>
    /// <param name="turn">The turn; null for none.</param>
    /// <param name="taken">The turns that were taken; this one is added.</param>
    private async Task<bool> TryTakeAsync(SemaphoreSlim? turn, Stack<SemaphoreSlim> taken)
    {
        if (turn is null)
        {
            return true;
        }

        try
        {
            await turn.WaitAsync(Services.Abort);
        }
        catch (OperationCanceledException)
        {
            return false;
        }

        taken.Push(turn);
        return true;
    }

    private async Task HandlePartitionAsync(ChannelReader<Delivery> partition, SemaphoreSlim? turn)
    {
        while (await partition.WaitToReadAsync())
        {
            while (partition.TryRead(out var delivery))
            {
                // EnterAsync and HandleInOrderAsync do not throw, so the slot and the turn are always released.
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
        Interlocked.Increment(ref waitingInPartitions);
        while (true)
        {
            await WhenMayEnterAsync();
            await (turn?.WaitAsync() ?? Task.CompletedTask);
            await Runtime.Slots.TakeAsync();
            if (TryEnter(out var probe))
            {
                Interlocked.Decrement(ref waitingInPartitions);
                return probe;
            }

            Runtime.Slots.Release();
            turn?.Release();
        }
    }

    private bool TryEnter(out long probe)
    {
        probe = 0;
        if (IsOver)
        {
            // The delivery enters only to be released.
            return true;
        }

        return !Pause.IsClosed && (CircuitBreaker is null || CircuitBreaker.TryEnter(out probe));
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
            else if (await Failures.TryParkAsync(Runtime.FailurePolicy, delivery.Envelope, Runtime.Slots))
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
