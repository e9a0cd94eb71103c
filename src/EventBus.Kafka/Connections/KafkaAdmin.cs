using Confluent.Kafka;
using Confluent.Kafka.Admin;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Calls the administration client of the cluster. Each call has a deadline of the bus. Created at the first call.
/// </summary>
internal sealed class KafkaAdmin(KafkaClientSettings settings, TimeProvider time, ILogger log) : IAsyncDisposable
{
    private static readonly TimeSpan MovePeriod = TimeSpan.FromMilliseconds(100);

    // The client needs a moment to report its own timeout, which tells more.
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(500);

    private readonly Lock gate = new();
    private readonly KafkaClientEvents events = new("administration", log);
    private readonly KafkaGroupAdmin groups = new(settings, time, log);
    private IAdminClient? client;
    private bool isDisposed;

    public string Address => settings.Address;

    /// <summary>The last error that the client reported since the last successful call; null for none.</summary>
    public Error? LastError => events.LastError;

    /// <summary>Completes at the first error that an operator must resolve, for instance a wrong password.</summary>
    public Task<Error> Refused => events.Refused;

    /// <summary>Completes when the cluster answers.</summary>
    /// <param name="timeout">The timeout.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public async Task PingAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        var options = new DescribeClusterOptions { RequestTimeout = timeout };
        await Client().DescribeClusterAsync(options).Observed().WaitAsync(timeout + Grace, time, cancellationToken);
        events.Succeeded();
    }

    /// <summary>Calls the cluster.</summary>
    /// <typeparam name="T">The type of the answer.</typeparam>
    /// <param name="call">The call, with the timeout to pass on.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="KafkaException">The cluster refused the call, or the client gave up.</exception>
    /// <exception cref="TimeoutException">The client did not end the call.</exception>
    public async Task<T> CallAsync<T>(Func<IAdminClient, TimeSpan, Task<T>> call, CancellationToken cancellationToken)
    {
        var timeout = settings.Options.CallTimeout;
        var answer = await call(Client(), timeout).Observed().WaitAsync(timeout + Grace, time, cancellationToken);
        events.Succeeded();
        return answer;
    }

    /// <summary>Calls the cluster. See the other overload.</summary>
    public async Task CallAsync(Func<IAdminClient, TimeSpan, Task> call, CancellationToken cancellationToken) =>
        await CallAsync(
            async (admin, timeout) =>
            {
                await call(admin, timeout);
                return true;
            },
            cancellationToken);

    /// <summary>Calls the coordinators of groups.</summary>
    /// <typeparam name="T">The type of the answer.</typeparam>
    /// <param name="call">The call, with the timeout to pass on.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="KafkaException">The cluster refused the call.</exception>
    /// <exception cref="TimeoutException">There was no answer in time.</exception>
    public Task<T> CallAboutGroupsAsync<T>(Func<IAdminClient, TimeSpan, Task<T>> call, CancellationToken cancellationToken) =>
        groups.CallAsync(call, cancellationToken);

    /// <summary>Reads the positions that a group has committed, for all partitions for which it has one.</summary>
    /// <param name="group">The group.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>Empty if there is no such group.</returns>
    public Task<IReadOnlyList<TopicPartitionOffset>> ReadCommittedAsync(string group, CancellationToken cancellationToken) =>
        WhileMovingAsync(() => new KafkaGroupClient(settings, time, log).ReadAsync(group, cancellationToken), cancellationToken);

    /// <summary>Writes the positions of a group that has no members, over a connection of its own.</summary>
    /// <param name="group">The group.</param>
    /// <param name="positions">The positions.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public Task WriteCommittedAsync(
        string group, IReadOnlyCollection<TopicPartitionOffset> positions, CancellationToken cancellationToken) =>
        WhileMovingAsync(
            async () =>
            {
                await new KafkaGroupClient(settings, time, log).WriteAsync(group, positions, cancellationToken);
                return true;
            },
            cancellationToken);

    /// <summary>
    /// Repeats a call about a group while the group moves to another broker, or is created, at most for the call
    /// timeout. The client itself does not repeat it.
    /// </summary>
    /// <typeparam name="T">The type of the answer.</typeparam>
    /// <param name="call">The call.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public async Task<T> WhileMovingAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken)
    {
        for (var begun = time.GetTimestamp(); ;)
        {
            try
            {
                return await call();
            }
            catch (KafkaException exception) when (KafkaErrors.IsMoving(exception)
                && time.GetElapsedTime(begun) < settings.Options.CallTimeout)
            {
                await Task.Delay(MovePeriod, time, cancellationToken);
            }
        }
    }

    /// <summary>
    /// Reads all topics with their partitions. The client has no asynchronous call for it, so it needs a thread
    /// meanwhile.
    /// </summary>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public Task<IReadOnlyList<TopicMetadata>> ReadTopicsAsync(CancellationToken cancellationToken) =>
        CallAsync<IReadOnlyList<TopicMetadata>>(
            (admin, timeout) => KafkaThreads.RunAsync("metadata", () => (IReadOnlyList<TopicMetadata>)admin.GetMetadata(timeout).Topics),
            cancellationToken);

    public async ValueTask DisposeAsync()
    {
        IAdminClient? open;
        lock (gate)
        {
            isDisposed = true;
            open = client;
            client = null;
        }

        await groups.DisposeAsync();
        if (open is not null)
        {
            await KafkaThreads.DisposeAsync(open, "administration client", time, log);
        }
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
