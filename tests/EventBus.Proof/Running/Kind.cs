namespace EventBus.Proof;

/// <summary>The kinds of entries.</summary>
internal static class Kind
{
    /// <summary>The process consumes events.</summary>
    public const char Ready = 'R';

    /// <summary>A handler was started.</summary>
    public const char Start = 'S';

    /// <summary>A handler is about to succeed.</summary>
    public const char End = 'E';

    /// <summary>A handler is about to throw.</summary>
    public const char Throw = 'X';

    /// <summary>A handler writes to an external resource.</summary>
    public const char Effect = 'W';

    /// <summary>A store has marked an event as done.</summary>
    public const char Commit = 'C';

    /// <summary>An alert of a dead letter was sent.</summary>
    public const char Alert = 'A';

    /// <summary>An event that a handler published was handled.</summary>
    public const char FollowUp = 'F';

    /// <summary>The healthy subscription handled its event.</summary>
    public const char Tick = 'T';

    /// <summary>The process is about to kill itself at a named point.</summary>
    public const char SelfKill = 'K';
}
