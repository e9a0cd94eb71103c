using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace EventBus;

/// <summary>
/// Creates missing topics, or checks that they exist. An existing topic is enough: nothing is created without need, so
/// that the right to create is not needed either.
/// </summary>
internal sealed class KafkaProvisioner(KafkaConnector connector, KafkaTopology names)
{
    private const int DefaultPartitions = 6;

    private readonly KafkaOptions options = connector.Options;
    private readonly Dictionary<string, int> partitions = new(StringComparer.Ordinal);
    private readonly HashSet<string> settingsChecked = new(StringComparer.Ordinal);
    private readonly HashSet<string> warnings = new(StringComparer.Ordinal);
    private volatile string? warning;

    /// <summary>The warning about the topics for operators; null for none.</summary>
    public string? Warning => warning;

    /// <summary>Creates or checks topics, depending on the options.</summary>
    /// <exception cref="EventBusException">Topics are missing or refused. The message lists all of them.</exception>
    /// <exception cref="KafkaException">The cluster did not answer.</exception>
    /// <exception cref="TimeoutException">The client did not answer.</exception>
    public async Task PrepareAsync(IReadOnlyList<string> topics, CancellationToken cancellationToken)
    {
        if (options.Provisioning == KafkaProvisioning.Off || topics.Count == 0)
        {
            await connector.Admin.PingAsync(options.CallTimeout, cancellationToken);
            return;
        }

        var problems = new List<string>();
        var missing = new List<string>();
        var found = await DescribeAsync(topics, cancellationToken);
        foreach (var topic in found)
        {
            if (KafkaErrors.IsMissingTopic(topic.Error.Code))
            {
                missing.Add(topic.Name);
            }
            else if (topic.Error.IsError)
            {
                problems.Add(TopicProblems.NotDescribed(topic.Name, topic.Error));
            }
            else
            {
                Check(topic.Name, topic.Partitions.Count, problems);
            }
        }

        if (options.Provisioning == KafkaProvisioning.Create && missing.Count > 0)
        {
            problems.AddRange(await CreateAsync(missing, cancellationToken));
        }
        else
        {
            problems.AddRange(missing.Select(topic => TopicProblems.Missing(topic, PartitionsToCreate)));
        }

        var existing = found.Where(topic => !topic.Error.IsError && settingsChecked.Add(topic.Name)).ToList();
        foreach (var text in await TopicSettingsCheck.FindAsync(connector.Admin, existing, options.MaxRecordBytes, cancellationToken))
        {
            Warn(text);
        }

        if (problems.Count > 0)
        {
            throw new EventBusException($"Kafka at {connector.Address} does not have what the bus "
                + $"needs:{string.Concat(problems.Select(problem => $"{Environment.NewLine}* {problem}"))}");
        }
    }

    private int PartitionsToCreate => options.Partitions ?? DefaultPartitions;

    private async Task<IReadOnlyList<TopicDescription>> DescribeAsync(IReadOnlyList<string> topics, CancellationToken cancellationToken)
    {
        try
        {
            var result = await connector.Admin.CallAsync(
                (admin, timeout) => admin.DescribeTopicsAsync(
                    TopicCollection.OfTopicNames(topics),
                    new DescribeTopicsOptions { RequestTimeout = timeout }),
                cancellationToken);
            return result.TopicDescriptions;
        }
        catch (DescribeTopicsException exception)
        {
            return exception.Results.TopicDescriptions;
        }
    }

    /// <summary>Creates topics.</summary>
    /// <returns>The problems.</returns>
    private async Task<IReadOnlyList<string>> CreateAsync(IReadOnlyList<string> topics, CancellationToken cancellationToken)
    {
        try
        {
            await connector.Admin.CallAsync(
                (admin, timeout) => admin.CreateTopicsAsync(
                    topics.Select(Specify),
                    new CreateTopicsOptions { RequestTimeout = timeout, OperationTimeout = timeout }),
                cancellationToken);
            foreach (var topic in topics)
            {
                connector.Log.TopicCreated(topic, PartitionsToCreate);
            }

            return [];
        }
        catch (CreateTopicsException exception)
        {
            // Another instance may have created the topic in the meantime.
            return
            [
                .. exception.Results
                    .Where(result => result.Error.IsError && result.Error.Code != ErrorCode.TopicAlreadyExists)
                    .Select(result => TopicProblems.NotCreated(result.Topic, result.Error, options, PartitionsToCreate)),
            ];
        }
    }

    private TopicSpecification Specify(string topic)
    {
        var specification = new TopicSpecification
        {
            Name = topic,
            NumPartitions = PartitionsToCreate,

            // The broker's own setting.
            ReplicationFactor = (short)(options.ReplicationFactor ?? -1),
            Configs = [],
        };
        if (options.Retention is { } retention)
        {
            specification.Configs["retention.ms"] = ((long)retention.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);
        }

        return specification;
    }

    /// <summary>Checks the number of partitions of a topic that exists.</summary>
    private void Check(string topic, int count, List<string> problems)
    {
        if (options.Partitions is { } wanted && count < wanted)
        {
            var text = TopicProblems.FewPartitions(topic, count, wanted);
            if (names.OrderedTopics.Contains(topic))
            {
                problems.Add(text);
            }
            else
            {
                Warn(text);
            }
        }

        if (partitions.TryGetValue(topic, out var before) && before != count)
        {
            warning = TopicProblems.PartitionsChanged(topic, before, count);
            Warn(warning);
        }

        partitions[topic] = count;
    }

    private void Warn(string text)
    {
        if (warnings.Add(text))
        {
            connector.Log.TopicProblem(text);
        }
    }
}
