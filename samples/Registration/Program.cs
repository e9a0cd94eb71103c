using EventBus;
using Registration;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddSingleton<MailServer>();
builder.Services.AddEventBus(bus =>
{
    bus.UseInMemory();
    bus.Subscribe<UserRegistered, SendWelcomeMail>();
});
builder.AddVisitor(); // Only in this sample: posts to both forms, prints the times and stops the program.
var app = builder.Build();

// The blocking form: the user waits for the mail, and cannot register while the mail server is down.
app.MapPost("/api/register/blocking", async (NewUser user, MailServer mail, CancellationToken cancellationToken) =>
{
    var userId = Guid.NewGuid();
    await mail.SendWelcomeAsync(user.Email, cancellationToken);
    return userId;
});

// By event: the request returns when the bus has the event. The mail follows.
app.MapPost("/api/register", async (NewUser user, IEventBus bus) =>
{
    var userId = Guid.NewGuid();
    await bus.PublishAsync(new UserRegistered(userId, user.Email));
    return userId;
});

await app.RunAsync();

public sealed record NewUser(string Email);

public sealed record UserRegistered(Guid UserId, string Email);

public sealed class SendWelcomeMail(MailServer mail) : IEventHandler<UserRegistered>
{
    public Task HandleAsync(UserRegistered user, EventContext context, CancellationToken cancellationToken) =>
        mail.SendWelcomeAsync(user.Email, cancellationToken);
}
