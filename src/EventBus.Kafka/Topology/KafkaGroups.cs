using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace EventBus;

/// <summary>Reads and removes the consumer groups of subscriptions.</summary>
internal sealed class KafkaGroups(KafkaAdmin admin, KafkaTopology names)
{
    /// <summary>Removes the group of a subscription that is no longer used. Topics are never removed.</summary>
    /// <exception cref="EventBusException">
    /// The group has members, or events wait for it and must not be discarded.
    /// </exception>
    public async Task RetireAsync(string subscription, bool discardWaiting, CancellationToken cancellationToken)
    {
        var group = names.GroupOf(subscription);
        var members = await CountMembersAsync(subscription, cancellationToken);
        if (members is null)
        {
            return;
        }

        if (members > 0)
        {
            throw InUse(group, subscription);
        }

        var backlog = discardWaiting ? 0 : await new KafkaOffsets(admin).CountWaitingAsync(group, cancellationToken);
        if (backlog > 0)
        {
            throw new EventBusException($"{backlog:N0} events wait for the consumer group '{group}'. Start an instance that subscribes to "
                + $"'{subscription}' and handles them, or discard them (discardWaiting: true).");
        }

        try
        {
            await admin.CallAboutGroupsAsync(
                async (client, timeout) =>
                {
                    await client.DeleteGroupsAsync(
                        [group, KafkaGroupNames.PeriodsOf(group), KafkaGroupNames.ReplaysOf(group)],
                        new DeleteGroupsOptions { RequestTimeout = timeout });
                    return true;
                },
                cancellationToken);
        }
        catch (DeleteGroupsException exception) when (KafkaErrors.ErrorsOf(exception).All(error => error.Code == ErrorCode.GroupIdNotFound))
        {
            // Another instance has removed it.
        }
        catch (DeleteGroupsException exception) when (KafkaErrors.ErrorsOf(exception).Any(error => error.Code == ErrorCode.NonEmptyGroup))
        {
            throw InUse(group, subscription);
        }
    }

    /// <summary>Counts the members of the group of a subscription; null if there is no such group.</summary>
    public async Task<int?> CountMembersAsync(string subscription, CancellationToken cancellationToken)
    {
        var group = names.GroupOf(subscription);
        try
        {
            var result = await admin.CallAboutGroupsAsync(
                (client, timeout) => client.DescribeConsumerGroupsAsync(
                    [group],
                    new DescribeConsumerGroupsOptions { RequestTimeout = timeout }),
                cancellationToken);
            return CountOf(result.ConsumerGroupDescriptions);
        }
        catch (DescribeConsumerGroupsException exception) when (exception.Results.ConsumerGroupDescriptions.All(IsAnswer))
        {
            return CountOf(exception.Results.ConsumerGroupDescriptions);
        }
    }

    /// <summary>Creates the error about a replay while other instances are members of the group.</summary>
    public static EventBusException HasOtherMembers(string group, string subscription) => new(
        $"The consumer group '{group}' has members on other instances, and Kafka moves the positions of a group without members only. Stop "
            + $"the other instances that subscribe to '{subscription}', replay, and start them again. One that ended without leaving is a "
            + "member until the session timeout.");

    private static EventBusException InUse(string group, string subscription) => new(
        $"The consumer group '{group}' still has members. Stop the instances that subscribe to '{subscription}' first. Those that ended "
            + "without leaving are members until the session timeout.");

    private static bool IsAnswer(ConsumerGroupDescription description) =>
        description.Error.Code is ErrorCode.GroupIdNotFound or ErrorCode.NoError;

    private static int? CountOf(IReadOnlyList<ConsumerGroupDescription> descriptions) =>
        descriptions is [{ Error.IsError: false, State: not ConsumerGroupState.Dead } only] ? only.Members.Count : null;
}
