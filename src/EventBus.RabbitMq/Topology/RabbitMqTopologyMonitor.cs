using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>Looks every few seconds whether all that the bus needs on the broker is still there, and makes it again where the bus may.</summary>
/// <remarks>A binding that was deleted ends no consumer and is not shown by the protocol: it is bound again each time.</remarks>
/// <param name="link">A connection.</param>
/// <param name="things">What is needed.</param>
/// <param name="options">Whether it is made or only looked for.</param>
/// <param name="time">The clock.</param>
internal sealed class RabbitMqTopologyMonitor(SupervisedConnection link, IReadOnlyList<RabbitMqEntity> things, RabbitMqOptions options, TimeProvider time) : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource stop = new();
    private volatile string? problem;
    private Task loop = Task.CompletedTask;

    /// <summary>What is missing and cannot be made; null for nothing.</summary>
    public string? Problem => problem;

    public void Start()
    {
        if (options.Provisioning != RabbitMqProvisioning.Off && things.Count > 0)
        {
            loop = RunAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await loop.WaitAsync(CloseTimeout, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    private async Task RunAsync()
    {
        while (!stop.IsCancellationRequested)
        {
            await Task.Delay(Interval, time, stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            try
            {
                problem = await FindProblemAsync(await link.ConnectionAsync(stop.Token));
            }
            catch (Exception)
            {
                // The connection is lost, which others report.
            }
        }
    }

    private async Task<string?> FindProblemAsync(ConnectionSession live)
    {
        string? found = null;
        for (var next = 0; next < things.Count; next++)
        {
            // A refusal ends the channel; the things behind it are looked at on another one.
            var channel = await live.OpenChannelAsync();
            try
            {
                // Each has a deadline of its own: there may be thousands.
                for (; next < things.Count; next++)
                {
                    await live.CallAsync(options.Provisioning == RabbitMqProvisioning.Create ? things[next].DeclareAsync(channel) : things[next].FindAsync(channel));
                }
            }
            catch (OperationInterruptedException exception) when (RabbitMqErrors.IsAnswer(exception))
            {
                found ??= $"{things[next].Title} {(RabbitMqErrors.IsMissing(exception) ? "is missing" : "cannot be made again or looked at")}: {RabbitMqErrors.CauseOf(exception)}";
            }
            finally
            {
                _ = channel.DiscardAsync();
            }
        }

        return found;
    }
}
