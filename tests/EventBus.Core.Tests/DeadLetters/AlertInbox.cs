using System.Threading.Channels;

namespace EventBus;

/// <summary>Records alerts in the order of their arrival.</summary>
public sealed class AlertInbox : IDeadLetterNotifier
{
    private readonly Channel<DeadLetterAlert> alerts = Channel.CreateUnbounded<DeadLetterAlert>();

    public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken) =>
        alerts.Writer.WriteAsync(alert, cancellationToken).AsTask();

    /// <summary>Returns the next alert, or fails with a text that names the expected cause.</summary>
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
            throw new TimeoutException($"No alert was raised within {RunningBus.Patience}, although {cause}.");
        }
    }
}
