using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using RabbitMQ.Client;

namespace EventBus.RabbitMq.Tests;

public sealed partial class BrokerChangesTests
{
    /// <summary>
    /// The user is accepted and then refused, so that connections open and fail before they are ready: a caller that
    /// waits for a connection gets the next one.
    /// </summary>
    [Fact]
    public async Task Permissions_RevokedAndGranted_EventsArePublishedAndReceivedAgain()
    {
        await AddUserAsync(".*", ".*", ".*");
        await using var app = await StartAsync(UserUri);
        await app.Bus.PublishAsync(new TestHappened(1), Cancel);
        Assert.Equal(1, await handled.NextAsync("the event before"));

        await broker.Node.ControlAsync("clear_permissions", name);
        await broker.Node.ControlAsync("close_all_connections", "permissions were taken");

        // The log of the bus contains only the first failure.
        await Until.TrueAsync(
            "the connections are tried again and again",
            async () => (await broker.Node.ReadLogAsync()).Split($"refused for user '{name}'").Length > 6,
            Cancel);

        var waiting = app.Bus.PublishAsync(new TestHappened(2), new PublishOptions { Timeout = TestBroker.Patience }, Cancel);
        await broker.Node.ControlAsync("set_permissions", name, ".*", ".*", ".*");

        await waiting;
        Assert.Equal(2, await handled.NextAsync("what was published meanwhile"));
        await app.Bus.PublishAsync(new TestHappened(3), Cancel);
        Assert.Equal(3, await handled.NextAsync("the event after"));
    }

    [Fact]
    public async Task Publish_WithoutPermission_IsRejectedAtOnceAndAcceptedOnceItIsGranted()
    {
        await using (await StartAsync(broker.Uri))
        {
        }

        await AddUserAsync("^$", "^$", "^$");
        await using var app = await StartPublisherAsync();

        var failure = await Assert.ThrowsAsync<PublishException>(() => app.Bus.PublishAsync(
            new TestHappened(1),
            new PublishOptions { Timeout = TimeSpan.FromMinutes(1) },
            Cancel).WaitAsync(TestBroker.Patience, Cancel));

        Assert.Equal(PublishFailure.Rejected, failure.Failure);
        Assert.Contains("403", failure.Message, StringComparison.Ordinal);

        // The broker does not report which of several concurrent publishes it refused: it may have accepted some.
        var several = await Task.WhenAll(Enumerable.Range(0, 50)
            .Select(async number => await Record.ExceptionAsync(() => app.Bus.PublishAsync(new TestHappened(number), Cancel))));
        Assert.All(several, error => Assert.Contains(
            Assert.IsType<PublishException>(error).Failure,
            new[] { PublishFailure.Rejected, PublishFailure.InDoubt }));

        await broker.Node.ControlAsync("set_permissions", name, "^$", $"^{name}$", "^$");
        await app.Bus.PublishAsync(new TestHappened(2), Cancel);
    }

    /// <summary>A user of one service checks the queues of another service.</summary>
    [Fact]
    public async Task Queue_LookedUpWithoutAnyPermission_IsFoundIfItExists()
    {
        await using (await StartAsync(broker.Uri))
        {
        }

        await AddUserAsync("^$", "^$", "^$");
        await using var transport = await TestBroker.StartTransportAsync(name, UserUri);

        var kept = await transport.FindQueueAsync(name, "tests", Cancel);
        Assert.NotNull(kept);
        Assert.Equal(($"{name}:tests", 0L, 0L), (kept.Name, kept.Consumers, kept.Waiting));
        Assert.Null(await transport.FindQueueAsync(name, "never-there", Cancel));
    }

    /// <summary>Two refused publishes do not determine the outcome of the others in flight.</summary>
    [Fact]
    public async Task Publish_TwoOfManyWithoutATopicPermission_TheOthersAreAccepted()
    {
        await using var app = await StartAsync(broker.Uri);
        await AddUserAsync("^$", $"^{name}$", "^$");
        await broker.Node.ControlAsync("set_topic_permissions", name, name, "^test\\.happened$", "^$");
        await using var publisher = await TestBus.StartAsync(name, bus => bus.UseRabbitMq(
            UserUri.AbsoluteUri,
            options => options.Exchange = name).StoreInMemory().Publishes<TestHappened>().Publishes<FollowUp>());

        var refused = new List<Task<Exception?>>();
        var accepted = new List<Task>();
        for (var number = 0; number < 100; number++)
        {
            if (number is 50 or 51 or 52)
            {
                refused.Add(Record.ExceptionAsync(() => publisher.Bus.PublishAsync(
                    new FollowUp(50),
                    new PublishOptions { Timeout = TestBroker.Patience },
                    Cancel)).AsTask());
            }
            else
            {
                accepted.Add(
                    publisher.Bus.PublishAsync(new TestHappened(number), new PublishOptions { Timeout = TestBroker.Patience }, Cancel));
            }
        }

        await Task.WhenAll(accepted);
        Assert.All(await Task.WhenAll(refused), error => Assert.Contains(
            Assert.IsType<PublishException>(error).Failure,
            new[] { PublishFailure.Rejected, PublishFailure.InDoubt }));
    }

    /// <summary>Grants the rights that docs/rabbitmq.md lists: to write to the exchange, and nothing else.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Publisher_WithPermissionToPublishOnly_StartsPublishesAndIsHealthy(bool store)
    {
        await using var consumer = await StartAsync(broker.Uri);
        await AddUserAsync("^$", $"^{name}$", "^$");
        await using var app = await StartPublisherAsync(store);

        await app.Bus.PublishAsync(new TestHappened(1), Cancel);

        Assert.Equal(1, await handled.NextAsync("the event"));
        Assert.Equal(HealthStatus.Healthy, (await app.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Cancel)).Status);
        Assert.Single(log.Texts, text => text.Contains($"the exchange {name} could not be declared", StringComparison.Ordinal));
    }

    /// <summary>Grants the rights that docs/rabbitmq.md lists if others create the queues.</summary>
    [Fact]
    public async Task Consumer_WithPermissionToReadItsQueuesOnly_StartsHandlesAndIsHealthy()
    {
        await using (await StartAsync(broker.Uri))
        {
        }

        await AddUserAsync("^$", "^$", $"^{name}(:.*|\\.given-up|\\.dead-letters)$");
        await using var app = await StartAsync(UserUri, options => options.Provisioning = RabbitMqProvisioning.Validate);
        await TestBroker.PublishForeignAsync(name, "test.happened", "{\"number\":1}"u8.ToArray(), uri: broker.Uri);

        Assert.Equal(1, await handled.NextAsync("the event"));
        await UntilHealthAsync(app, report => report.Status == HealthStatus.Healthy);
    }

    /// <summary>Grants the rights that docs/rabbitmq.md lists if the bus creates its entities.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Service_WithPermissionsToItsOwnEntities_StartsPublishesHandlesAndIsHealthy(bool store)
    {
        var own = $"^({name}[.:].*|{name})$";
        await AddUserAsync(own, $"^({name}([.:].*)?|amq\\.default)$", own);
        await using var app = await StartAsync(UserUri, store: store);

        await app.Bus.PublishAsync(new TestHappened(1), Cancel);

        Assert.Equal(1, await handled.NextAsync("the event"));
        await UntilHealthAsync(app, report => report.Status == HealthStatus.Healthy);
    }
}
