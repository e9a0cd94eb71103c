namespace Registration;

/// <summary>Simulates a mail server that takes two seconds for each mail.</summary>
public sealed class MailServer
{
    private static readonly TimeSpan Takes = TimeSpan.FromSeconds(2);

    private int sent;

    /// <summary>The number of mails that were sent.</summary>
    public int Sent => Volatile.Read(ref sent);

    public async Task SendWelcomeAsync(string email, CancellationToken cancellationToken)
    {
        await Task.Delay(Takes, cancellationToken);
        Interlocked.Increment(ref sent);
    }
}
