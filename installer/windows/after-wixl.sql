UPDATE CustomAction SET Type = 3410 WHERE Action = 'UndoInstallService'
UPDATE CustomAction SET Type = 3410 WHERE Action = 'UndoRemoveService'
UPDATE CustomAction SET Type = 3410 WHERE Action = 'UndoStopService'
UPDATE Property SET Value = 'INBOX;OUTBOX;URL;TO;INSTALLDIR;CONFIG;SERVICE;NEWER;OLDER' WHERE Property = 'SecureCustomProperties'
INSERT INTO Signature (Signature, FileName) VALUES ('ConfigFile', 'config.toml')
CREATE TABLE DrLocator (Signature_ CHAR(72) NOT NULL, Parent CHAR(72), Path CHAR(255), Depth SHORT PRIMARY KEY Signature_, Parent, Path)
INSERT INTO DrLocator (Signature_, Path, Depth) VALUES ('ConfigFile', '[CommonAppDataFolder]Millrace', 0)
INSERT INTO AppSearch (Property, Signature_) VALUES ('CONFIG', 'ConfigFile')
CREATE TABLE Environment (Environment CHAR(72) NOT NULL, Name CHAR(255) NOT NULL LOCALIZABLE, Value CHAR(255) LOCALIZABLE, Component_ CHAR(72) NOT NULL PRIMARY KEY Environment)
INSERT INTO Environment (Environment, Name, Value, Component_) VALUES ('Path', '=-*Path', '[~];[INSTALLDIR]', 'Program')
