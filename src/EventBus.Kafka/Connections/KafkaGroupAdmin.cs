using Confluent.Kafka;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Calls the coordinators of consumer groups. A client that did not answer in time is replaced, and its own timeout is
/// never reached: librdkafka ends the process if it gives up a call about a group and the coordinator returns later
/// (librdkafka pull request 5397, open in 2.16). Created at the first call. Thread-safe.
/// </summary>
internal sealed class KafkaGroupAdmin(KafkaClientSettings settings, TimeProvider time, ILogger log) : IAsyncDisposable
{
    /// <summary>
    /// The timeout of the client itself. It is longer than the longest <see cref="KafkaOptions.CallTimeout"/>.
    /// </summary>
    public static readonly TimeSpan RequestTimeout = TimeSpan.FromMinutes(30);

    private readonly Lock gate = new();
    private readonly KafkaClientEvents events = new("administration of groups", log);
    private IAdminClient? client;
    private bool isDisposed;

    /// <summary>Calls the cluster about groups.</summary>
    /// <typeparam name="T">The type of the answer.</typeparam>
    /// <param name="call">The call, with the timeout to pass on.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="KafkaException">The cluster refused the call.</exception>
    /// <exception cref="TimeoutException">
    /// There was no answer within <see cref="KafkaOptions.CallTimeout"/>.
    /// </exception>
    public async Task<T> CallAsync<T>(Func<IAdminClient, TimeSpan, Task<T>> call, CancellationToken cancellationToken)
    {
        var used = Client();
        try
        {
            var answer = await call(used, RequestTimeout).Observed().WaitAsync(settings.Options.CallTimeout, time, cancellationToken);
            events.Succeeded();
            return answer;
        }
        catch (TimeoutException exception)
        {
            await DiscardAsync(used);
            throw TimedOut(settings, events, exception);
        }
        catch (OperationCanceledException)
        {
            // The call is still under way in the client.
            await DiscardAsync(used);
            throw;
        }
    }

    public ValueTask DisposeAsync()
    {
        IAdminClient? open;
        lock (gate)
        {
            isDisposed = true;
            open = client;
        }

        return open is null ? default : DiscardAsync(open);
    }

    /// <summary>Creates the error about a call without an answer.</summary>
    public static TimeoutException TimedOut(KafkaClientSettings settings, KafkaClientEvents events, Exception exception)
    {
        var last = events.LastError is { } error ? $" The last error of the client: {KafkaErrors.CauseOf(error)}" : "";
        return new TimeoutException(
            $"Kafka at {settings.Address} did not answer a call about a consumer group within {settings.Options.CallTimeout}.{last}",
            exception);
    }

    private async ValueTask DiscardAsync(IAdminClient used)
    {
        lock (gate)
        {
            if (!ReferenceEquals(client, used))
            {
                return;
            }

            client = null;
        }

        await KafkaThreads.DisposeAsync(used, "administration client of groups", time, log);
    }

    private IAdminClient Client()
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(isDisposed, this);
            return client ??= events.BuildAdmin(settings);
        }
    }
}
