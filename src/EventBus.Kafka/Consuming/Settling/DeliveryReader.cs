using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Reads the deliveries of a receiver. A delivery becomes one when it is taken, so that those of a partition that was
/// given away are never read. Thread-safe.
/// </summary>
/// <param name="records">The records whose deliveries are read.</param>
internal sealed class DeliveryReader(UnackedRecords records) : ChannelReader<Delivery>
{
    private readonly TaskCompletionSource completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public override Task Completion => completion.Task;

    public override bool CanCount => true;

    public override int Count => records.OfferedCount;

    public override bool TryRead([MaybeNullWhen(false)] out Delivery item) => records.TryTake(out item);

    public override ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default) =>
        cancellationToken.IsCancellationRequested
            ? ValueTask.FromCanceled<bool>(cancellationToken)
            : records.WaitToTakeAsync(cancellationToken);

    /// <summary>Ends the reading: nothing more is offered.</summary>
    public void Complete()
    {
        records.StopIntake();
        completion.TrySetResult();
    }
}
