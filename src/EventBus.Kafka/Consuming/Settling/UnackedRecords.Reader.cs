using EventBus.Transports;

namespace EventBus;

/// <content>The side of the bus: takes the deliveries that are offered.</content>
internal sealed partial class UnackedRecords
{
    // The wait of the bus for the next delivery; null while it does not wait.
    private TaskCompletionSource<bool>? readerWait;

    /// <summary>The number of deliveries that are offered and not taken.</summary>
    public int OfferedCount
    {
        get
        {
            lock (gate)
            {
                return offered.Count;
            }
        }
    }

    /// <summary>True after <see cref="StopIntake"/>.</summary>
    public bool IsIntakeStopped => isIntakeStopped;

    /// <summary>True after <see cref="StopIntake"/>, when all deliveries that were taken are settled.</summary>
    public bool IsDrained
    {
        get
        {
            if (!isIntakeStopped)
            {
                return false;
            }

            lock (gate)
            {
                return taken == 0;
            }
        }
    }

    /// <summary>Takes the next delivery; false if none is offered.</summary>
    public bool TryTake(out Delivery delivery)
    {
        lock (gate)
        {
            if (!offered.TryDequeue(out var next))
            {
                delivery = default;
                return false;
            }

            var (partition, record) = next;
            ref var slot = ref partition.Ring[record];
            slot.State = SlotState.Taken;
            partition.Taken++;
            taken++;
            if (partition.Replay.Includes(slot.Offset) && slot.Envelope!.Replay == 0)
            {
                slot.Envelope = slot.Envelope.AsReplay(partition.Replay.Number);
            }

            delivery = new Delivery(
                slot.Envelope!, partition, partition.TokenOf(record), slot.EarlierDeliveries, partition.Lost.Token);
            return true;
        }
    }

    /// <summary>Waits until a delivery is offered.</summary>
    /// <returns>False if none will be offered, because the intake has stopped.</returns>
    public ValueTask<bool> WaitToTakeAsync(CancellationToken cancellationToken)
    {
        Task<bool> wait;
        lock (gate)
        {
            if (offered.Count > 0 || isIntakeStopped)
            {
                return ValueTask.FromResult(offered.Count > 0);
            }

            readerWait ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
            wait = readerWait.Task;
        }

        return new ValueTask<bool>(cancellationToken.CanBeCanceled ? wait.WaitAsync(cancellationToken) : wait);
    }

    /// <summary>
    /// Offers nothing from now on, and withdraws the deliveries that the bus has not taken. Those that it has taken can
    /// still be settled.
    /// </summary>
    public void StopIntake()
    {
        lock (gate)
        {
            isIntakeStopped = true;
            while (offered.TryDequeue(out var next))
            {
                next.Partition.Ring[next.Record].State = SlotState.Waiting;
            }

            readerWait?.TrySetResult(false);
            WakePoller();
        }
    }

    private void WakeReader()
    {
        readerWait?.TrySetResult(true);
        readerWait = null;
    }
}
