using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Mistakes;

/// <summary>Runs the code of docs/mistakes.md, "Events everywhere".</summary>
public sealed class EventsEverywhereTests
{
    private readonly Users users = new();
    private readonly Seen heard = new();
    private readonly TaskCompletionSource turn = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Change_ByEvent_IsNotOnTheNextPage()
    {
        await using var running = await StartWrongAsync();

        await new ProfileByEvent(running.Bus).ChangeEmailAsync("ada", "new@example.com", Token);
        var nextPage = users.EmailOf("ada");
        turn.SetResult();
        await running.WhenIdleAsync();

        Assert.Equal(("old@example.com", "new@example.com"), (nextPage, users.EmailOf("ada")));
    }

    [Fact]
    public async Task Change_ByEventAndInvalid_IsADeadLetterAndTheUserReadsNothing()
    {
        turn.SetResult();
        await using var running = await StartWrongAsync();

        await new ProfileByEvent(running.Bus).ChangeEmailAsync("ada", "not an address", Token);
        await running.WhenIdleAsync();

        Assert.Equal(1, await running.DeadLetters.CountAsync(cancellationToken: Token));
    }

    [Fact]
    public async Task Change_InTheRequest_IsOnTheNextPageAndHandlersFollow()
    {
        await using var running = await StartRightAsync();

        await new Profile(users, running.Bus).ChangeEmailAsync("ada", "new@example.com", Token);
        var nextPage = users.EmailOf("ada");
        await running.WhenIdleAsync();

        Assert.Equal("new@example.com", nextPage);
        Assert.Equal(["ada"], heard.Items);
    }

    [Fact]
    public async Task Change_InTheRequestAndInvalid_IsAnErrorOfTheRequestAndNoEvent()
    {
        await using var running = await StartRightAsync();

        await Assert.ThrowsAsync<FormatException>(
            () => new Profile(users, running.Bus).ChangeEmailAsync("ada", "not an address", Token));
        await running.WhenIdleAsync();

        Assert.Equal("old@example.com", users.EmailOf("ada"));
        Assert.Empty(heard.Items);
    }

    /// <summary>Starts a bus in which an event waits for its turn, as it does behind others in a queue.</summary>
    private Task<RunningBus> StartWrongAsync() => RunningBus.StartAsync(
        bus => bus.UseInMemory()
            .Use(async (context, next, cancellationToken) =>
            {
                await turn.Task.WaitAsync(cancellationToken);
                await next(context, cancellationToken);
            })
            .Subscribe<EmailChangeRequested, ChangeEmail>(s => s.Retry(0)),
        services: services => services.AddSingleton(users));

    private Task<RunningBus> StartRightAsync() => RunningBus.StartAsync(bus => bus.UseInMemory()
        .Subscribe<EmailChanged>("newsletter", (change, _, _) =>
        {
            heard.Add(change.UserId);
            return Task.CompletedTask;
        }));

    public sealed record EmailChangeRequested(string UserId, string Email);

    public sealed record EmailChanged(string UserId);

    #region wrong
    public sealed class ProfileByEvent(IEventBus bus)
    {
        public Task ChangeEmailAsync(string userId, string email, CancellationToken cancellationToken) =>
            bus.PublishAsync(new EmailChangeRequested(userId, email), cancellationToken);
    }

    public sealed class ChangeEmail(Users users) : IEventHandler<EmailChangeRequested>
    {
        public Task HandleAsync(EmailChangeRequested change, EventContext context, CancellationToken cancellationToken)
        {
            users.SetEmail(change.UserId, change.Email);
            return Task.CompletedTask;
        }
    }
    #endregion

    #region right
    public sealed class Profile(Users users, IEventBus bus)
    {
        public Task ChangeEmailAsync(string userId, string email, CancellationToken cancellationToken)
        {
            users.SetEmail(userId, email); // One row, at once. An invalid address is an error of the request.
            return bus.PublishAsync(new EmailChanged(userId), cancellationToken); // A fact, for those that react to it.
        }
    }
    #endregion

    /// <summary>Keeps one address for each user.</summary>
    public sealed class Users
    {
        private readonly ConcurrentDictionary<string, string> emails = new(StringComparer.Ordinal) { ["ada"] = "old@example.com" };

        public string EmailOf(string userId) => emails[userId];

        /// <exception cref="FormatException">It is no address.</exception>
        public void SetEmail(string userId, string email) =>
            emails[userId] = email.Contains('@', StringComparison.Ordinal) ? email : throw new FormatException("it is no address");
    }
}
