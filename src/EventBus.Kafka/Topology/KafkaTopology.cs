using EventBus.Transports;

namespace EventBus;

/// <summary>Knows the topics and the consumer groups of one application. Thread-safe.</summary>
internal sealed class KafkaTopology(KafkaOptions options, TransportTopology topology)
{
    private readonly KafkaTopicNames topicNames = new(options);

    public TimeProvider Time => topology.TimeProvider;

    /// <summary>The CloudEvents <c>source</c> of events that this application publishes.</summary>
    public string Source => topology.ServiceName;

    /// <summary>True if an unreachable cluster is an error at the start.</summary>
    public bool FailFast => topology.FailFast;

    /// <summary>The topics that the application needs from the start: of its subscriptions and of its events.</summary>
    public IReadOnlyList<string> RequiredTopics => [.. topology.Subscriptions.SelectMany(TopicsOf)
        .Concat(topology.EventNames.Select(TopicOf))
        .Distinct(StringComparer.Ordinal)
        .Order(StringComparer.Ordinal)];

    /// <summary>The topics of the ordered subscriptions.</summary>
    public IReadOnlySet<string> OrderedTopics => topology.Subscriptions.Where(subscription => subscription.Ordered)
        .SelectMany(TopicsOf)
        .ToHashSet(StringComparer.Ordinal);

    /// <summary>
    /// True if a subscription is open: one of its patterns begins with a wildcard, so it reads every topic, also those
    /// that do not exist yet.
    /// </summary>
    public static bool IsOpen(Subscription subscription) => subscription.Patterns.Any(pattern => IsWildcard(FirstWord(pattern.Text)));

    /// <summary>Gets the consumer group of a subscription of this application.</summary>
    public string GroupOf(string subscription) => KafkaGroupNames.Of(topology.ServiceName, subscription);

    /// <summary>Gets the topic of an event.</summary>
    public string TopicOf(string eventName) => topicNames.TopicOf(FirstWord(eventName));

    /// <summary>
    /// Gets the topics that a subscription reads from the start. An open subscription reads every topic that this
    /// application knows; it finds the others by <see cref="IsEventTopic"/>.
    /// </summary>
    public IReadOnlyList<string> TopicsOf(Subscription subscription)
    {
        var words = subscription.Patterns.Select(pattern => FirstWord(pattern.Text)).Where(word => !IsWildcard(word));
        IEnumerable<string> mapped = options.GetReaders()
            .Where(reader => reader.EventName is { } name && subscription.Matches(name))
            .Select(reader => reader.Topic);
        if (IsOpen(subscription))
        {
            var others = topology.Subscriptions.SelectMany(other => other.Patterns).Select(pattern => FirstWord(pattern.Text));
            words = words.Concat(others).Concat(topology.EventNames.Select(FirstWord)).Where(word => !IsWildcard(word))
                .Concat(options.Topics.Keys);
            mapped = options.GetReaders().Select(reader => reader.Topic);
        }

        return [.. words.Select(topicNames.TopicOf).Concat(mapped).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
    }

    /// <summary>
    /// True if a topic may hold events: it has the form of the bus (<see cref="KafkaOptions.TopicFormat"/>,
    /// <see cref="KafkaOptions.Topics"/>), or the application describes it (<see cref="KafkaOptions.FromTopic"/>).
    /// </summary>
    public bool IsEventTopic(string topic) => options.FindReader(topic) is not null || topicNames.TryGetWord(topic, out _);

    /// <summary>
    /// True if the application itself names the topic: by a pattern of the subscription, in
    /// <see cref="KafkaOptions.Topics"/> or with <see cref="KafkaOptions.FromTopic"/>. Records without an event name
    /// become dead letters in such a topic; in a topic that was only found, they are counted and warned of.
    /// </summary>
    public bool IsNamed(Subscription subscription, string topic) =>
        options.FindReader(topic) is not null
            || options.Topics.Values.Contains(topic, StringComparer.Ordinal)
            || subscription.Patterns.Any(pattern => !IsWildcard(FirstWord(pattern.Text)) && TopicOf(pattern.Text) == topic);

    /// <summary>Gets the description of the topic of another program; null for none.</summary>
    public KafkaTopicReader? ReaderOf(string topic) => options.FindReader(topic);

    /// <summary>
    /// Gets the event name of records without a valid one. Every subscription that reads the topic receives them.
    /// </summary>
    public string UnreadableNameOf(string topic) =>
        topicNames.TryGetWord(topic, out var word) ? $"{word}.unreadable" : CloudEventAttributes.UnreadableType;

    private static string FirstWord(string name)
    {
        var dot = name.IndexOf('.', StringComparison.Ordinal);
        return dot >= 0 ? name[..dot] : name;
    }

    private static bool IsWildcard(string word) => word is "*" or "#";
}
