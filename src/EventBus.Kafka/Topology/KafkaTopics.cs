using System.Collections.Concurrent;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Creates or checks the topics of the application: at the start all that it needs, later those that events of other
/// names need or that were deleted. Thread-safe.
/// </summary>
internal sealed class KafkaTopics : IAsyncDisposable
{
    private static readonly TimeSpan CheckPeriod = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(1);

    private readonly KafkaConnector connector;
    private readonly KafkaTopology names;
    private readonly KafkaProvisioner provisioner;
    private readonly CancellationTokenSource stop = new();

    // The topic of each event name, and the topics that exist. The sizes are bounded by the event names of the
    // application.
    private readonly ConcurrentDictionary<string, string> topicsByName = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> known = new(StringComparer.Ordinal);
    private volatile string? problem;
    private Task checking = Task.CompletedTask;

    public KafkaTopics(KafkaConnector connector, KafkaTopology names)
    {
        this.connector = connector;
        this.names = names;
        provisioner = new KafkaProvisioner(connector, names);
    }

    /// <summary>The problem of the topics at present, for operators; null for none.</summary>
    public string? Problem => problem;

    /// <summary>Gets the topic of an event.</summary>
    public string TopicOf(string eventName) =>
        topicsByName.TryGetValue(eventName, out var topic) ? topic : topicsByName.GetOrAdd(eventName, names.TopicOf(eventName));

    /// <summary>True if a topic exists, as far as is known. False means that it has to be created or checked.</summary>
    public bool IsKnown(string topic) => known.ContainsKey(topic) || connector.Options.Provisioning == KafkaProvisioning.Off;

    /// <summary>Records that the cluster does not know a topic.</summary>
    public void Forget(string topic) => known.TryRemove(topic, out _);

    /// <summary>
    /// Creates or checks all topics that the application needs, and checks them again every minute.
    /// </summary>
    /// <exception cref="EventBusException">
    /// Topics are missing or refused, or the cluster refuses this application; or the cluster is unreachable, if that
    /// is an error.
    /// </exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await new KafkaStart(connector, names).PrepareAsync(token => EnsureAllAsync(token), cancellationToken);
        var loop = new SupervisedLoop(
            "checking topics",
            connector.Time,
            connector.Log,
            static (log, delay, exception) => log.TopicsNotChecked(delay, KafkaErrors.CauseOf(exception) ?? "", exception));
        checking = loop.RepeatAsync(CheckAgainAsync, CheckPeriod, stop.Token);
    }

    /// <summary>Creates or checks one topic.</summary>
    /// <exception cref="EventBusException">The topic is missing or refused.</exception>
    public async Task EnsureAsync(string topic, CancellationToken cancellationToken)
    {
        await provisioner.PrepareAsync([topic], cancellationToken);
        known[topic] = true;
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await checking.WaitAsync(StopTimeout, connector.Time).Quietly();
    }

    private async Task EnsureAllAsync(CancellationToken cancellationToken)
    {
        var required = names.RequiredTopics;
        await provisioner.PrepareAsync(required, cancellationToken);
        foreach (var topic in required)
        {
            known[topic] = true;
        }
    }

    private async Task CheckAgainAsync(CancellationToken stopped)
    {
        try
        {
            await EnsureAllAsync(stopped);
            problem = provisioner.Warning;
        }
        catch (EventBusException exception)
        {
            if (problem != exception.Message)
            {
                problem = exception.Message;
                connector.Log.TopicProblem(exception.Message);
            }
        }
    }
}
