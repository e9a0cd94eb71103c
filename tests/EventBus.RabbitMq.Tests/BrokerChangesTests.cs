using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace EventBus.RabbitMq.Tests;

/// <summary>
/// Permissions, exchanges, queues and bindings that change while the bus runs, and users with few rights.
/// </summary>
[Collection(typeof(PrivateBrokerCollection))]
public sealed class BrokerChangesTests(PrivateBroker broker) : IDisposable
{
    private const string Password = "secret";

    private readonly string name = TestBroker.NewName();
    private readonly Seen<int> handled = new();
    private readonly LogList log = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>
    /// The user is let in and then refused, so that connections open and fail before they are ready: a caller that
    /// waits for one gets the next.
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

        // The log of the bus has the first failure only.
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

        // Of several at once the broker does not say which it refused: some may have been taken.
        var several = await Task.WhenAll(Enumerable.Range(0, 50)
            .Select(async number => await Record.ExceptionAsync(() => app.Bus.PublishAsync(new TestHappened(number), Cancel))));
        Assert.All(several, error => Assert.Contains(
            Assert.IsType<PublishException>(error).Failure,
            new[] { PublishFailure.Rejected, PublishFailure.InDoubt }));

        await broker.Node.ControlAsync("set_permissions", name, "^$", $"^{name}$", "^$");
        await app.Bus.PublishAsync(new TestHappened(2), Cancel);
    }

    /// <summary>A user of one service looks for the queues of others.</summary>
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

    /// <summary>Two that are refused for themselves say nothing about the others that were on their way.</summary>
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

    [Fact]
    public async Task Publish_ExchangeIsDeleted_IsRecreatedAndEveryEventIsAcceptedAndHandled()
    {
        await using var app = await StartAsync(broker.Uri);
        await ChangeAsync(channel => channel.ExchangeDeleteAsync(name, cancellationToken: Cancel));

        await app.Bus.PublishAsync(new TestHappened(0), Cancel);

        Assert.Equal(0, await handled.NextAsync("the event that found no exchange"));

        await ChangeAsync(channel => channel.ExchangeDeleteAsync(name, cancellationToken: Cancel));
        await Task.WhenAll(Enumerable.Range(1, 50)
            .Select(number => app.Bus.PublishAsync(new TestHappened(number), new PublishOptions { Key = $"{number % 3}" }, Cancel)));
        var numbers = new HashSet<int>();
        while (numbers.Count < 50)
        {
            numbers.Add(await handled.NextAsync("an event of many"));
        }
    }

    [Fact]
    public async Task Publish_ExchangeIsMissingAndMayNotBeCreated_IsRejectedAndNamed()
    {
        await AddUserAsync("^$", ".*", "^$");
        await using var app = await StartPublisherAsync();

        var failure = await Assert.ThrowsAsync<PublishException>(() => app.Bus.PublishAsync(new TestHappened(1), Cancel));

        Assert.Equal(PublishFailure.Rejected, failure.Failure);
        Assert.Contains($"Create the exchange '{name}'", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("binding")]
    [InlineData("queue")]
    [InlineData("exchange")]
    public async Task Entity_DeletedWhileRunning_IsRecreatedWithoutAPublish(string entity)
    {
        await using var app = await StartAsync(broker.Uri);
        await ChangeAsync(channel => entity switch
        {
            "binding" => channel.QueueUnbindAsync($"{name}:tests", name, "test.happened", cancellationToken: Cancel),
            "queue" => channel.QueueDeleteAsync($"{name}.given-up", ifUnused: false, ifEmpty: false, cancellationToken: Cancel),
            _ => channel.ExchangeDeleteAsync(name, cancellationToken: Cancel),
        });

        await Until.TrueAsync(
            $"the {entity} is made again",
            TimeSpan.FromSeconds(10),
            IsThereAsync,
            Cancel);

        await TestBroker.PublishForeignAsync(name, "test.happened", "{\"number\":1}"u8.ToArray(), uri: broker.Uri);
        Assert.Equal(1, await handled.NextAsync("the event"));

        async Task<bool> IsThereAsync() =>
            (await broker.Node.ControlAsync("--silent", entity == "queue" ? "list_queues" : "list_bindings")).Split('\n')
                .Any(line => entity == "queue"
                    ? line.StartsWith($"{name}.given-up\t", StringComparison.Ordinal)
                    : line.StartsWith($"{name}\t", StringComparison.Ordinal) && line.Contains($"{name}:tests", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Queue_DeletedWithProvisioningOff_IsNamedByTheHealthCheck()
    {
        await using (await StartAsync(broker.Uri))
        {
        }

        await using var app = await StartAsync(broker.Uri, options => options.Provisioning = RabbitMqProvisioning.Validate);
        await ChangeAsync(
            channel => channel.QueueDeleteAsync($"{name}.given-up", ifUnused: false, ifEmpty: false, cancellationToken: Cancel));

        await UntilHealthAsync(app, report => report.Status == HealthStatus.Unhealthy
            && report.Entries.Values.Any(entry => entry.Description!.Contains($"'{name}.given-up' is missing", StringComparison.Ordinal)));
    }

    /// <summary>The rights that docs/rabbitmq.md lists: to write to the exchange, and nothing else.</summary>
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

    /// <summary>The rights that docs/rabbitmq.md lists, where the queues are created by others.</summary>
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

    /// <summary>The rights that docs/rabbitmq.md lists, where the bus makes what it needs.</summary>
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

    /// <summary>Of two queues, one that can be read says nothing about the other, and does not wait for it.</summary>
    [Fact]
    public async Task BrokerDeadLetters_OneOfTwoQueuesIsRefused_IsNamedMeanwhileAndTheOtherIsRead()
    {
        await using (await StartAsync(broker.Uri))
        {
        }

        await AddUserAsync("^$", "^$", $"^{name}(:.*|\\.dead-letters)$");
        await using var app = await StartAsync(UserUri, options => options.Provisioning = RabbitMqProvisioning.Off);
        await UntilHealthAsync(app, IsNamed);
        for (var number = 1; number <= 3; number++)
        {
            await ChangeAsync(channel => channel.BasicPublishAsync(
                "",
                $"{name}.dead-letters",
                mandatory: true,
                new BasicProperties { MessageId = $"{number}" },
                "{}"u8.ToArray(),
                Cancel).AsTask());
        }

        await Until.TrueAsync(
            "the queue of dead letters is read",
            TimeSpan.FromSeconds(15),
            async () =>
            {
                Assert.True(IsNamed(await app.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Cancel)));
                return await app.DeadLetters.CountAsync(cancellationToken: Cancel) == 3;
            },
            Cancel);

        static bool IsNamed(HealthReport report) =>
            report.Status == HealthStatus.Degraded
                && report.Entries.Values.Any(entry => entry.Description!.Contains(".given-up' cannot be read", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Channels_LimitIsReached_IsReportedWithTheLimit()
    {
        var factory = new ConnectionFactory { Uri = broker.Uri, RequestedChannelMax = 4 };
        await using var app = await TestBus.StartAsync(name, bus =>
        {
            bus.Services.AddSingleton<IConnectionFactory>(factory);
            bus.Services.AddLogging(logging => logging.AddProvider(log));
            bus.UseRabbitMq(options => options.Exchange = name).StoreInMemory();
            for (var i = 0; i < 5; i++)
            {
                bus.Subscribe<TestHappened>($"tests-{i}", (_, _, _) => Task.CompletedTask);
            }
        });

        await UntilHealthAsync(app, report => report.Status == HealthStatus.Unhealthy
            && report.Entries.Values.Any(entry => entry.Description!.Contains("channel_max is 4", StringComparison.Ordinal)));
        Assert.Contains(log.Texts, text => text.Contains("channel_max is 4", StringComparison.Ordinal));
    }

    public void Dispose() => log.Dispose();

    private Uri UserUri => new UriBuilder(broker.Uri) { UserName = name, Password = Password }.Uri;

    private async Task AddUserAsync(string configure, string write, string read)
    {
        await broker.Node.ControlAsync("add_user", name, Password);
        await broker.Node.ControlAsync("set_permissions", name, configure, write, read);
    }

    private Task<TestBus> StartPublisherAsync(bool store = false) => TestBus.StartAsync(name, bus =>
    {
        bus.Services.AddLogging(logging => logging.AddProvider(log));
        bus.UseRabbitMq(UserUri.AbsoluteUri, options => options.Exchange = name);
        if (store)
        {
            bus.StoreInMemory();
        }

        bus.Publishes<TestHappened>();
    });

    private Task<TestBus> StartAsync(Uri uri, Action<RabbitMqOptions>? configure = null, bool store = true) =>
        TestBus.StartAsync(name, bus =>
        {
            bus.Services.AddLogging(logging => logging.AddProvider(log));
            bus.UseRabbitMq(uri.AbsoluteUri, options =>
            {
                options.Exchange = name;
                configure?.Invoke(options);
            });
            if (store)
            {
                bus.StoreInMemory();
            }

            bus.Subscribe<TestHappened>("tests", (e, _, _) =>
            {
                handled.Add(e.Number);
                return Task.CompletedTask;
            });
        });

    private async Task ChangeAsync(Func<IChannel, Task> change)
    {
        await using var connection = await new ConnectionFactory { Uri = broker.Uri }.CreateConnectionAsync(Cancel);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
        await change(channel);
    }

    private static async Task UntilHealthAsync(TestBus app, Func<HealthReport, bool> condition)
    {
        var health = app.Services.GetRequiredService<HealthCheckService>();
        HealthReport? report = null;
        await Until.TrueAsync(
            () => $"the health is {string.Join(' ', report!.Entries.Values.Select(entry => $"{entry.Status}: {entry.Description}"))}",
            TestBroker.Patience,
            async () => condition(report = await health.CheckHealthAsync(Cancel)),
            Cancel);
    }
}
