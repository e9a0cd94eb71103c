using Confluent.Kafka;
using Confluent.Kafka.Admin;
using EventBus.Conformance;
using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EventBus.Kafka.Tests;

/// <summary>
/// Tests a user who loses a right while the application runs, on a broker of its own that checks rights.
/// </summary>
[NeedsBroker]
public sealed class RightsTests : IAsyncDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("eventbus-kafka-rights-");
    private readonly KafkaNode node;
    private readonly string name = TestBroker.NewName();

    public RightsTests() => node = new KafkaNode(Path.Combine(folder.FullName, "node"), Canary.Password)
    {
        // Everything is allowed on what has no rules. The user without a password may do everything, also the broker.
        Overrides =
        [
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found=true",
            "super.users=User:ANONYMOUS",
        ],
    };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Refused => $"{name}-stock-events";

    public async ValueTask DisposeAsync()
    {
        await node.DisposeAsync();
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Read_RevokedForOneTopic_IsNamedAndTheOthersContinueUntilItIsGranted()
    {
        await node.StartAsync();
        using var log = new LogList();
        var options = TestTransport.Options(name, node.Address).ConfigureClient(client => client.TopicMetadataRefreshIntervalMs = 500);
        (options.Partitions, options.FromBeginning) = (1, true);
        await using var transport = TestTransport.Create(options, log);
        var subscription = new Subscription("mail", [EventPattern.Parse("order.placed"), EventPattern.Parse("stock.low")]);
        await transport.StartAsync(
            new TransportTopology(name, [subscription], ["order.placed", "stock.low"], TimeProvider.System),
            Token);
        var receiver = await transport.SubscribeAsync(subscription, Token);
        await PublishAsync(transport, "1", "stock.low");
        Assert.Equal("1", await HandleAsync(receiver));

        // Rules for a topic end the general permission there.
        await AllowAsync(AclOperation.Describe, AclOperation.Write);
        await Until.TrueAsync(
            "health names the topic",
            async () => await transport.CheckHealthAsync(Token) is { Status: HealthStatus.Degraded } found
                && found.Description!.Contains(Refused, StringComparison.Ordinal),
            Token);
        await PublishAsync(transport, "2", "stock.low");
        for (var i = 0; i < 20; i++)
        {
            await PublishAsync(transport, $"order-{i}", "order.placed");
            Assert.Equal($"order-{i}", await HandleAsync(receiver));
        }

        Assert.InRange(log.Texts.Count(text => text.Contains(Refused, StringComparison.Ordinal)), 1, 5);
        await AllowAsync(AclOperation.Read);

        Assert.Equal("2", await HandleAsync(receiver));
        await Until.TrueAsync(
            "health is green again",
            async () => (await transport.CheckHealthAsync(Token)).Status == HealthStatus.Healthy,
            Token);
    }

    private static async Task PublishAsync(KafkaTransport transport, string id, string eventName)
    {
        var outcomes = await transport.PublishAsync(TestBroker.Patience, TestTransport.Event(id, name: eventName));
        Assert.Equal(PublishOutcome.Accepted, outcomes[0]);
    }

    private static async Task<string> HandleAsync(Receiver receiver)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(TestBroker.Patience);
        var delivery = await receiver.Deliveries.ReadAsync(limit.Token);
        await delivery.AckAsync();
        return delivery.Envelope.Id;
    }

    private async Task AllowAsync(params AclOperation[] operations)
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = node.PlainAddress }).Build();
        await admin.CreateAclsAsync(operations.Select(operation => new AclBinding
        {
            Pattern = new ResourcePattern { Type = ResourceType.Topic, Name = Refused, ResourcePatternType = ResourcePatternType.Literal },
            Entry = new AccessControlEntry
            {
                Principal = "User:bus",
                Host = "*",
                Operation = operation,
                PermissionType = AclPermissionType.Allow,
            },
        }));
    }
}
