using System.Threading.Channels;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Handles the deliveries of an ordered subscription. Distributes them to partitions by key; each partition handles one
/// delivery at a time.
/// </summary>
internal sealed class OrderedWorker(
    SubscriptionRuntime subscription,
    Receiver receiver,
    DeliveryProcessor processor,
    FailureRecorder failures,
    BusServices services)
    : SubscriptionWorker(subscription, receiver, processor, failures, services)
{
    private readonly DeliveryPartitions partitions = new(subscription.Subscription.Concurrency);

    // Null if retries need not take turns with deliveries.
    private readonly PartitionTurns? turns = PartitionTurns.For(subscription, services);

    private Task[] loops = [];

    // The number of deliveries that partitions have taken and not begun.
    private int waitingInPartitions;

    public override bool HasWaiting => Volatile.Read(ref waitingInPartitions) > 0 || base.HasWaiting;

    public override bool HasEnded => base.HasEnded || loops.Any(loop => loop.IsCompleted);

    public override async Task RetryAsync(FailedEvent entry, long probe, CancellationToken lost)
    {
        var taken = new Stack<SemaphoreSlim>();
        try
        {
            if (turns is null || await turns.TryTakeAsync(entry, partitions.PartitionOf(entry.Envelope), taken))
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
        loops = [.. partitions.Readers.Select((partition, i) =>
            Services.Runner.Start($"{Name} partition {i}", () => HandlePartitionAsync(partition, turns?.DeliveryTurnOf(i))))];
        try
        {
            while (!IsOver && await Deliveries.WaitToReadAsync())
            {
                await WhenMayEnterAsync();
                while (!OperatorGate.IsClosed && CircuitBreaker is not { MayEnter: false } && Deliveries.TryRead(out var delivery))
                {
                    await partitions.AddAsync(delivery);
                }
            }
        }
        finally
        {
            partitions.Complete();
        }

        // Deliveries in the partitions still need slots: the drain must take all slots only after the partitions have
        // ended.
        await Task.WhenAll(loops);
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

        return !OperatorGate.IsClosed && (CircuitBreaker is null || CircuitBreaker.TryEnter(out probe));
    }

    private async Task WhenMayEnterAsync()
    {
        await OperatorGate.WhenOpenAsync();
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
}
