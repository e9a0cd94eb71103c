using System.Threading.Channels;

namespace EventBus;

/// <summary>Alerts in the order in which they came.</summary>
public sealed class AlertInbox : IDeadLetterNotifier
{
    private readonly Channel<DeadLetterAlert> alerts = Channel.CreateUnbounded<DeadLetterAlert>();

    public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken) =>
        alerts.Writer.WriteAsync(alert, cancellationToken).AsTask();

    /// <summary>The next alert, or a failure that says what should have raised it.</summary>
    public async Task<DeadLetterAlert> NextAsync(string cause)
    {
        try
        {
            return await alerts.Reader.ReadAsync(TestContext.Current.CancellationToken)
                .AsTask()
                .WaitAsync(RunningBus.Patience, TestContext.Current.CancellationToken);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"No alert came within {RunningBus.Patience}, although {cause}.");
        }
    }
}
