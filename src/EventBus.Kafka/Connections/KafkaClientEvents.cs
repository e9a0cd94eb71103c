using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Receives the errors and log lines of one client. The methods are called by threads of the client, and never throw.
/// </summary>
/// <param name="client">The name of the client, for the log.</param>
/// <param name="log">The log.</param>
internal sealed class KafkaClientEvents(string client, ILogger log)
{
    private readonly TaskCompletionSource<Error> refused = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Error? lastError;

    /// <summary>Runs at each error. Its exceptions are ignored. Default: nothing.</summary>
    public Action<Error> Reported { get; init; } = static _ => { };

    /// <summary>The last error since the last success; null for none.</summary>
    public Error? LastError => lastError;

    /// <summary>Completes at the first error that an operator must resolve, for instance a wrong password.</summary>
    public Task<Error> Refused => refused.Task;

    /// <summary>Creates an administration client that reports to this.</summary>
    public IAdminClient BuildAdmin(KafkaClientSettings settings) => new AdminClientBuilder(settings.ForAdmin())
        .SetErrorHandler((_, error) => Report(error))
        .SetLogHandler((_, message) => Log(message))
        .Build();

    /// <summary>Forgets the last error.</summary>
    public void Succeeded() => lastError = null;

    /// <summary>Receives an error of the client. Most are information only: the client repairs itself.</summary>
    public void Report(Error error)
    {
        try
        {
            // That no broker is connected says less than the error before it, which says why.
            if (lastError is null || error.Code != ErrorCode.Local_AllBrokersDown)
            {
                lastError = error;
            }

            if (KafkaErrors.IsRefusal(error))
            {
                refused.TrySetResult(error);
            }

            Reported(error);
        }
        catch (Exception)
        {
            // An exception would reach the client, which ends what it does at the moment.
        }
    }

    /// <summary>
    /// Receives a log line of the client. It contains the names of brokers, and never content of records.
    /// </summary>
    public void Log(LogMessage message)
    {
        try
        {
            switch (message.Level)
            {
                case SyslogLevel.Emergency or SyslogLevel.Alert or SyslogLevel.Critical:
                    log.ClientFailing(client, message.Facility, message.Message);
                    break;
                case SyslogLevel.Debug:
                    break;
                default:
                    // Errors are reported by the health check and by the calls that fail. Here they are details.
                    log.ClientDetail(client, message.Facility, message.Message);
                    break;
            }
        }
        catch (Exception)
        {
            // As above.
        }
    }
}
