using Confluent.Kafka;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Knows whether the cluster answers. While it does not, nothing is sent, so that events which end at their deadline
/// have certainly not been sent.
/// </summary>
internal sealed class ClusterReach(KafkaConnector connector)
{
    // A single closed connection is repaired at once, and is no outage.
    private static readonly TimeSpan OutageAfter = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    // A cluster that needs longer, for instance to sign in, gets twice the time at the next attempt.
    private static readonly TimeSpan FirstPatience = TimeSpan.FromSeconds(2);

    private readonly SendSignal closed = new();
    private TimeSpan patience = FirstPatience;
    private volatile bool isOpen = true;
    private volatile Error? lastError;

    /// <summary>Runs when the cluster answers again.</summary>
    public Action Opened { get; set; } = static () => { };

    public bool IsOpen => isOpen;

    /// <summary>The error because of which it does not answer; null while it answers.</summary>
    public Error? LastError => lastError;

    /// <summary>Receives an error of a client, on one of its threads.</summary>
    public void Report(Error error)
    {
        if (error.Code == ErrorCode.Local_AllBrokersDown && isOpen)
        {
            Close(error);
        }
        else if (error.Code is ErrorCode.Local_Transport or ErrorCode.Local_Authentication or ErrorCode.Local_Ssl)
        {
            // It tells the cause, and comes before the error that no broker is left.
            lastError = error;
        }
    }

    /// <summary>Reports that the cluster does not answer.</summary>
    public void Close(Error? error)
    {
        lastError ??= error;
        isOpen = false;
        closed.Give();
    }

    /// <summary>Asks the cluster whenever it does not answer, until it does. Never throws.</summary>
    public Task RunAsync(CancellationToken stop)
    {
        var loop = new SupervisedLoop(
            "reaching the cluster",
            connector.Time,
            connector.Log,
            (log, _, exception) => log.Unreachable(connector.Address, KafkaErrors.CauseOf(exception) ?? ""))
        {
            FirstDelay = Pause,
            MaxDelay = OutageAfter,
        };
        return loop.RunAsync(
            async stopped =>
            {
                while (true)
                {
                    if (isOpen)
                    {
                        await closed.WaitAsync(stopped);
                    }
                    else
                    {
                        await AskAsync(stopped);
                        loop.Succeeded();
                        loop.Progressed();
                    }
                }
            },
            stop);
    }

    /// <summary>
    /// Asks the cluster over a connection of its own. An older connection can have died without an error, and then the
    /// client waits on it for longer than the outage lasts.
    /// </summary>
    private async Task AskAsync(CancellationToken stopped)
    {
        await using var client = new KafkaAdmin(connector.Settings, connector.Time, connector.Log);
        var limit = patience < connector.Options.CallTimeout ? patience : connector.Options.CallTimeout;
        patience = 2 * limit;
        await client.PingAsync(limit, stopped);
        patience = FirstPatience;
        lastError = null;
        isOpen = true;
        Opened();
    }
}
