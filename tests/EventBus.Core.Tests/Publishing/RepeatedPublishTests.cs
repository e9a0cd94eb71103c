using System.Reflection;
using EventBus.Transports;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>
/// Shows that a publish is repeated within the deadline if the event was certainly not sent, in the order of its key.
/// </summary>
public sealed class RepeatedPublishTests : IAsyncDisposable
{
    private static readonly PublishOutcome NotSent = PublishOutcome.Failed(new InvalidOperationException("Away."));
    private static readonly PublishOutcome Refused = PublishOutcome.Rejected(new InvalidOperationException("No permission."));
    private static readonly PublishOutcome InDoubtOutcome = PublishOutcome.InDoubt(new InvalidOperationException("No answer."));

    private readonly ManualTransport transport = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Publish_CertainlyNotSent_IsSentAgainWithItsIdUntilItIsAccepted()
    {
        await using var running = await StartAsync();
        var publishing = PublishAsync(running, "a1");

        (await transport.NextAsync("a1")).Answer(NotSent);
        (await transport.NextAsync("a1")).Answer(NotSent);
        (await transport.NextAsync("a1")).Answer(PublishOutcome.Accepted);

        await publishing;
    }

    [Fact]
    public async Task Publish_NotSentUntilItsDeadline_IsFailed()
    {
        await using var running = await StartAsync();
        var publishing = PublishAsync(running, "a1", TimeSpan.FromMilliseconds(200));
        var answering = AnswerAsync();

        var failure = await Assert.ThrowsAsync<PublishException>(() => publishing);

        Assert.Equal(PublishFailure.Failed, failure.Failure);
        Assert.Contains("Away.", failure.Message, StringComparison.Ordinal);
        Assert.False(answering.IsFaulted);

        async Task AnswerAsync()
        {
            while (!publishing.IsCompleted)
            {
                (await transport.NextAsync("a1")).Answer(NotSent);
            }
        }
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task Publish_RefusedOrInDoubt_IsNotSentAgain(bool refused)
    {
        await using var running = await StartAsync();
        var publishing = PublishAsync(running, "a1");

        (await transport.NextAsync("a1")).Answer(refused ? Refused : InDoubtOutcome);

        var failure = await Assert.ThrowsAsync<PublishException>(() => publishing);
        Assert.Equal(refused ? PublishFailure.Rejected : PublishFailure.InDoubt, failure.Failure);
        Assert.False(transport.HasAttempt);
    }

    [Fact]
    public async Task Publish_WhileAnEarlierEventOfItsKeyIsSentAgain_WaitsAndOtherKeysDoNot()
    {
        await using var running = await StartAsync();
        var first = PublishAsync(running, "a1");
        (await transport.NextAsync("a1")).Answer(NotSent);
        var again = await transport.NextAsync("a1");

        var second = PublishAsync(running, "a2");
        var third = PublishAsync(running, "a3");
        var other = PublishAsync(running, "b1");

        (await transport.NextAsync("b1")).Answer(PublishOutcome.Accepted);
        await other;
        Assert.False(transport.HasAttempt);
        again.Answer(PublishOutcome.Accepted);
        await first;

        // Sent in order, without waiting for one another.
        var (next, last) = (await transport.NextAsync("a2"), await transport.NextAsync("a3"));
        last.Answer(PublishOutcome.Accepted);
        next.Answer(PublishOutcome.Accepted);
        await Task.WhenAll(second, third);
    }

    [Fact]
    public async Task Publish_SeveralOfAKeyNotSent_AreSentAgainInTheirOrder()
    {
        await using var running = await StartAsync();
        var first = PublishAsync(running, "a1");
        var second = PublishAsync(running, "a2");
        var (one, two) = (await transport.NextAsync("a1"), await transport.NextAsync("a2"));

        // Answered in the wrong order: the first call is still in flight when the second one has failed.
        two.Answer(NotSent);
        one.Answer(NotSent);

        (await transport.NextAsync("a1")).Answer(PublishOutcome.Accepted);
        await first;
        (await transport.NextAsync("a2")).Answer(PublishOutcome.Accepted);
        await second;
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task Publish_LaterEventOfItsKeyMayBeAccepted_IsFailedAndNotSentAgain(bool inDoubt)
    {
        await using var running = await StartAsync();
        var first = PublishAsync(running, "a1");
        var second = PublishAsync(running, "a2");
        var (one, two) = (await transport.NextAsync("a1"), await transport.NextAsync("a2"));

        one.Answer(NotSent);
        two.Answer(inDoubt ? InDoubtOutcome : PublishOutcome.Accepted);

        Assert.Equal(PublishFailure.Failed, (await Assert.ThrowsAsync<PublishException>(() => first)).Failure);
        Assert.Equal(inDoubt, await Record.ExceptionAsync(() => second) is PublishException { Failure: PublishFailure.InDoubt });
        Assert.False(transport.HasAttempt);
    }

    [Fact]
    public async Task PublishMany_PartlyNotSent_SendsTheRestAgainExceptBehindRejectedEvents()
    {
        await using var running = await StartAsync();
        var publishing = running.Bus.PublishManyAsync(
            [.. new[] { "a1", "b1", "c1", "a2", "b2", "c2" }.Select(id => new OrderPlaced(id))],
            null,
            Token);

        var attempt = await transport.NextAsync();
        attempt.Answer(NotSent, Refused, PublishOutcome.Accepted, NotSent, NotSent, NotSent);
        var ids = attempt.Ids;
        (await transport.NextAsync(ids[0], ids[3], ids[5]))
            .Answer(PublishOutcome.Accepted, PublishOutcome.Accepted, PublishOutcome.Accepted);

        var failure = await Assert.ThrowsAsync<PublishManyException>(() => publishing);
        Assert.Equal([null, PublishFailure.Rejected, null, null, PublishFailure.Failed, null], failure.Items.Select(item => item?.Failure));
    }

    /// <summary>
    /// The list stays in the queue of the key, because its second event is sent again. Its first event was accepted.
    /// </summary>
    [Theory, InlineData(false), InlineData(true)]
    public async Task PublishMany_PartlyAcceptedAfterAnEarlierEventOfTheKey_EarlierOneIsNotSentAgain(bool earlierAnswersLast)
    {
        await using var running = await StartAsync();
        var first = PublishAsync(running, "a1");
        var list = running.Bus.PublishManyAsync([new OrderPlaced("a2"), new OrderPlaced("a3")], null, Token);
        var (one, many) = (await transport.NextAsync("a1"), await transport.NextAsync());

        if (earlierAnswersLast)
        {
            many.Answer(PublishOutcome.Accepted, NotSent);
            one.Answer(NotSent);
        }
        else
        {
            one.Answer(NotSent);
            many.Answer(PublishOutcome.Accepted, NotSent);
        }

        (await transport.NextAsync(many.Ids[1])).Answer(PublishOutcome.Accepted);
        await list;
        Assert.Equal(PublishFailure.Failed, (await Assert.ThrowsAsync<PublishException>(() => first)).Failure);
        Assert.False(transport.HasAttempt);
    }

    [Fact]
    public async Task PublishMany_PartlyAcceptedAndTheRestNotInTime_EarlierEventOfTheKeyIsNotSentAgain()
    {
        await using var running = await StartAsync();
        var first = PublishAsync(running, "a1");
        var list = running.Bus.PublishManyAsync(
            [new OrderPlaced("a2"), new OrderPlaced("a3")],
            new PublishOptions { Timeout = TimeSpan.FromMilliseconds(1) },
            Token);
        var (one, many) = (await transport.NextAsync("a1"), await transport.NextAsync());

        many.Answer(PublishOutcome.Accepted, NotSent);
        await Assert.ThrowsAsync<PublishManyException>(() => list);
        one.Answer(NotSent);

        Assert.Equal(PublishFailure.Failed, (await Assert.ThrowsAsync<PublishException>(() => first)).Failure);
        Assert.False(transport.HasAttempt);
    }

    [Fact]
    public async Task Delayed_DueAndCertainlyNotSent_IsNotRepeatedAndBlocksNoOtherDueEvent()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        await using var running = await StartAsync(time);
        var dueAt = time.GetUtcNow() + TimeSpan.FromMinutes(1);
        await running.Bus.PublishAsync(new OrderPlaced("a1"), new PublishOptions { EventId = "a1", NotBefore = dueAt }, Token);
        await running.Bus.PublishAsync(
            new OrderPlaced("b1"),
            new PublishOptions { EventId = "b1", NotBefore = dueAt.AddMilliseconds(1) },
            Token);

        time.Advance(TimeSpan.FromMinutes(1));
        (await transport.NextAsync("a1")).Answer(NotSent);
        time.Advance(TimeSpan.FromMilliseconds(1));

        (await transport.NextAsync("b1")).Answer(PublishOutcome.Accepted);
        Assert.False(transport.HasAttempt);
    }

    /// <summary>A decorator that does not forward a member would use the default of the base class.</summary>
    [Fact]
    public void Transport_EveryMember_IsForwarded()
    {
        var missing = typeof(Transport).GetMethods(BindingFlags.Instance | BindingFlags.Public)
            .Where(method => method.IsVirtual && method.DeclaringType == typeof(Transport))
            .Select(method => method.Name)
                .Except(typeof(RetryingTransport).GetMethods(BindingFlags.Instance | BindingFlags.Public | BindingFlags.DeclaredOnly)
                    .Select(method => method.Name));

        Assert.Empty(missing);
    }

    public ValueTask DisposeAsync() => transport.DisposeAsync();

    private static Task PublishAsync(RunningBus running, string id, TimeSpan? timeout = null) =>
        running.Bus.PublishAsync(
            new OrderPlaced(id),
            new PublishOptions { EventId = id, Timeout = timeout ?? TimeSpan.FromMinutes(1) },
            Token);

    private Task<RunningBus> StartAsync(TimeProvider? time = null) => RunningBus.StartAsync(bus =>
    {
        bus.Event<OrderPlaced>().KeyedBy(e => e.OrderId[..1]);
        bus.UseTransport("Scripted()", _ => transport).StoreInMemory();
    }, time);
}
